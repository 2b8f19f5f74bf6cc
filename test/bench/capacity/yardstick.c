// What receiving RTP costs at the least here: a socket per stream, epoll and recvmmsg, every packet appended to one file.
// The yardstick of `npm run bench -- capacity`, which compiles it when there is a C compiler.
// usage: yardstick SOCKETS FILE
// Prints the ports, one line; at each line on standard input a line `packets CPU-µs` since the start; ends with its input.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MESSAGES = 32, MESSAGE_OCTETS = 2048, EVENTS = 256 };

static unsigned char memory[MESSAGES][MESSAGE_OCTETS];
static struct mmsghdr messages[MESSAGES];
static struct iovec parts[MESSAGES];

static int open_socket(int *port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), buffer = 512 << 10;
  setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
  if (descriptor < 0 || bind(descriptor, (void *)&address, length) < 0) {
    perror("yardstick");
    exit(1);
  }
  getsockname(descriptor, (void *)&address, &length);
  *port = ntohs(address.sin_port);
  return descriptor;
}

int main(int argc, char **argv) {
  if (argc != 3) return 64;
  FILE *file = fopen(argv[2], "w");
  if (!file) {
    perror(argv[2]);
    return 1;
  }
  int poll = epoll_create1(0), count = atoi(argv[1]);
  for (int i = 0; i < count; i++) {
    int port, descriptor = open_socket(&port);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = descriptor};
    epoll_ctl(poll, EPOLL_CTL_ADD, descriptor, &event);
    printf(i == 0 ? "%d" : " %d", port);
  }
  printf("\n");
  fflush(stdout);
  for (int i = 0; i < MESSAGES; i++) {
    parts[i] = (struct iovec){memory[i], MESSAGE_OCTETS};
    messages[i].msg_hdr.msg_iov = &parts[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  struct epoll_event input = {.events = EPOLLIN, .data.fd = STDIN_FILENO};
  epoll_ctl(poll, EPOLL_CTL_ADD, STDIN_FILENO, &input);
  struct epoll_event events[EVENTS];
  long received = 0;
  for (;;) {
    int ready = epoll_wait(poll, events, EVENTS, -1);
    for (int i = 0; i < ready; i++) {
      if (events[i].data.fd == STDIN_FILENO) {
        char line[64];
        if (read(STDIN_FILENO, line, sizeof line) <= 0) return 0;
        struct rusage use;
        getrusage(RUSAGE_SELF, &use);
        printf("%ld %ld\n", received,
               (use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1000000 + use.ru_utime.tv_usec + use.ru_stime.tv_usec);
        fflush(stdout);
        continue;
      }
      int got = recvmmsg(events[i].data.fd, messages, MESSAGES, 0, NULL);
      for (int j = 0; j < got; j++) fwrite(memory[j], 1, messages[j].msg_len, file);
      if (got > 0) received += got;
    }
  }
}
