// The OpenSIPS configurations in opensips/: everything that can be told without OpenSIPS, and with it if it is there.
import { execFileSync } from 'node:child_process';
import { globSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { describeSettings } from '../../src/config/describe.ts';
import { mistakesIn } from './check.ts';
import { readScript, type Script, type Token } from './script.ts';

const directory = fileURLToPath(new URL('../../opensips/', import.meta.url));
const read = (name: string) => readFileSync(join(directory, name), 'utf8');

const CONFIGURATIONS = ['opensips-siprec.cfg', 'opensips-classic.cfg'];
const modern = readScript(read('opensips-siprec.cfg'));
const classic = readScript(read('opensips-classic.cfg'));

const callOf = (script: Script, name: string) => script.calls.find((call) => call.name === name)!;
const texts = (tokens: Token[]) => tokens.map(({ text }) => text);

describe.each(CONFIGURATIONS)('%s', (name) => {
  const text = read(name);
  const script = readScript(text);

  test('brackets and strings close; functions, parameters and variables belong to loaded modules; routes exist', () => {
    expect(mistakesIn(text)).toEqual([]);
    expect(script.calls.length).toBeGreaterThan(25);
  });

  test('the recording is set up on the first INVITE: after the dialog and the relay, before t_relay', () => {
    const engage = callOf(script, name === 'opensips-siprec.cfg' ? 'rtp_relay_engage' : 'rtpproxy_engage');
    const inOrder = [callOf(script, 'create_dialog'), engage, callOf(script, 'siprec_start_recording')];
    expect(inOrder.map(({ block }) => `${block.kind}[${block.name}]`)).toEqual(Array(3).fill('route[record]'));
    expect(inOrder.map(({ at }) => at)).toEqual(inOrder.map(({ at }) => at).toSorted((a, b) => a - b));

    const main = script.blocks.find(({ kind, name: block }) => kind === 'route' && block === '')!;
    const words = texts(main.tokens).join(' ');
    expect(words).toContain('if ( is_method ( INVITE ) ) record_route ( ) ;');
    expect(words).toMatch(/if \( is_method \( INVITE \) \) route \( record \) ; route \( relay \) ;$/);
  });

  test('all recorders are called over TCP and there is a TCP socket to call from', () => {
    const list = callOf(script, 'siprec_start_recording').args[0]!;
    expect(list).toHaveLength(1);
    const uris = list[0]!.text.split(',').map((uri) => uri.trim());
    expect(uris.length).toBeGreaterThan(1);
    for (const uri of uris) expect(uri).toMatch(/^sip:[\w.-]+:\d+;transport=tcp$/);
    expect(script.sockets.map((socket) => socket.split(':')[0])).toEqual(['udp', 'tcp']);
  });

  test('a silent recorder is given up soon, a ringing phone is not', () => {
    const values = (parameter: string) =>
      script.modparams.filter((param) => param.name === parameter).map(({ module, value }) => [module, Number(value)]);
    expect(values('fr_timeout')).toEqual([['tm', 3]]);
    expect(values('fr_inv_timeout')).toEqual([['tm', 5]]);

    const setters = script.blocks.filter(({ tokens }) => texts(tokens).includes('T_fr_inv_timeout'));
    expect(setters.map(({ kind, name: block }) => `${kind}[${block}]`)).toEqual(['branch_route[relayed]']);
    expect(texts(setters[0]!.tokens)).toEqual(['T_fr_timeout', '=', '10', ';', 'T_fr_inv_timeout', '=', '120', ';']);
  });

  test('only 488 keeps OpenSIPS from asking the next recorder', () => {
    const codes = script.modparams.find((param) => param.name === 'skip_failover_codes')!.value;
    const skipped = Array.from({ length: 399 }, (_, index) => 301 + index).filter((code) =>
      new RegExp(codes).test(String(code)),
    );
    expect(skipped).toEqual([488]);
  });

  test('OpenSIPS itself accepts it', () => {
    const version = opensipsVersion();
    const fits = name === 'opensips-classic.cfg' ? /^3\.1\./ : /^(3\.([4-9]|\d\d)|[4-9]|\d\d)\./;
    if (version === null || !fits.test(version)) {
      process.stderr.write(`NOT CHECKED: ${name} was not read by OpenSIPS (${version ?? 'not installed'})\n`);
      return;
    }
    expect(parsedByOpensips(text)).toBe('accepted');
  });
});

describe('the two forms of siprec_start_recording', () => {
  test('3.4 and later: one argument, the rest in $siprec', () => {
    const start = callOf(modern, 'siprec_start_recording');
    expect(start.args).toHaveLength(1);
    const before = modern.tokens.slice(0, start.at);
    const set = before.flatMap(({ kind, text }, at) =>
      kind === 'variable' && text === 'siprec' && before[at + 4]?.text === '=' ? [before[at + 2]!.text] : [],
    );
    expect(set).toEqual(['group', 'headers']);
    expect(modern.modules).toContain('rtp_relay');
    expect(callOf(modern, 'rtp_relay_engage').args.map(texts)).toEqual([['rtpproxy']]);
    expect(modern.calls.some(({ name }) => name === 'rtpproxy_engage')).toBe(false);
  });

  test('3.1: five arguments, the last one the rtpproxy socket that is configured', () => {
    const [, group, caller, callee, socket, ...more] = callOf(classic, 'siprec_start_recording').args.map(texts);
    expect([group, caller, callee, more]).toEqual([['fd'], [], [], []]);
    expect(socket).toEqual(classic.modparams.filter(({ name }) => name === 'rtpproxy_sock').map(({ value }) => value));
    expect(classic.modules).not.toContain('rtp_relay');
    expect(classic.tokens.some(({ kind, text }) => kind === 'variable' && text === 'siprec')).toBe(false);
  });

  test('header lines for the recorder have a colon and an end', () => {
    const at = modern.tokens.findIndex(({ text }) => text === 'headers');
    const end = modern.tokens.findIndex(({ text }, position) => position > at && text === ';');
    const strings = modern.tokens.slice(at, end).filter(({ kind }) => kind === 'string');
    expect(texts(strings)).toEqual(['X-Caller-Address: ', '\\r\\n']);
  });
});

describe('README.md', () => {
  const readme = read('README.md');
  const lines = (text: string) => text.split('\n').map((line) => line.trim());

  test.each([
    ['opensips-siprec.cfg', 'opensips'],
    ['opensips-classic.cfg', 'opensips-3.1'],
  ])('the lines for an existing configuration stand in %s', (name, language) => {
    const blocks = [...readme.matchAll(new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``, 'g'))].map(
      (match) => match[1]!,
    );
    const configured = new Set(lines(read(name)));
    const shown = blocks.flatMap(lines).filter((line) => line !== '');
    expect(shown.length).toBeGreaterThan(8);
    expect(shown.filter((line) => !configured.has(line))).toEqual([]);
  });

  test('the log lines, settings and options that it names exist', () => {
    const sources = readdirSync(join(directory, '../src'), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => readFileSync(join(directory, '../src', name), 'utf8'))
      .join('\n');
    const logged = readme.split('\n').filter((line) => line.startsWith('- The log of one call:'));
    const lines = [...logged.join().matchAll(/`([^`]+)`/g)].map((match) => match[1]!);
    expect(lines).toHaveLength(4);
    for (const line of lines) expect(sources).toContain(`'${line}'`);

    const settings = new Set(describeSettings().map(({ path }) => path));
    const named = [...readme.matchAll(/`((?:limits|sip|rtp)\.\w+)`/g)].map((match) => match[1]!);
    expect(named).toHaveLength(3);
    expect(named.filter((path) => !settings.has(path))).toEqual([]);
  });
});

describe('the check finds', () => {
  const text = read('opensips-siprec.cfg');
  const without = (part: string) => {
    expect(text).toContain(part);
    return mistakesIn(text.replace(part, ''));
  };

  test('a brace that is missing', () => {
    expect(without('branch_route[relayed] {')).toEqual([expect.stringMatching(/} closes nothing that is open/)]);
    expect(mistakesIn(`${text}\nroute[more] {`)).toEqual([expect.stringMatching(/{ is never closed/)]);
  });

  test('a string and a comment without end', () => {
    expect(mistakesIn(`${text}\nloadmodule "acc.so`)).toEqual([expect.stringMatching(/a string that never ends/)]);
    expect(mistakesIn(`${text}\n/* acc`)).toEqual([expect.stringMatching(/a comment that never ends/)]);
  });

  test('a module that is missing, by its functions, parameters, variables and dependants', () => {
    expect(without('loadmodule "siprec.so"')).toEqual([
      expect.stringMatching(/modparam for siprec, which is not loaded/),
      expect.stringMatching(/siprec_start_recording belongs to siprec, which is not loaded/),
      expect.stringMatching(/\$siprec belongs to siprec/),
      expect.stringMatching(/\$siprec belongs to siprec/),
    ]);
    expect(without('loadmodule "b2b_entities.so"')).toEqual(['siprec needs b2b_entities loaded before it']);
  });

  test('a function, a parameter, a variable and a setting that do not exist', () => {
    const wrong = `${text}\nmodparam("tm", "fr_timer", 3)\nroute { start_siprec($rX); $siprec(grp) = "x"; }`;
    expect(mistakesIn(wrong)).toEqual([
      expect.stringMatching(/tm has no parameter fr_timer/),
      expect.stringMatching(/no module has a function start_siprec/),
      expect.stringMatching(/\$rX is not known/),
      expect.stringMatching(/\$siprec has no grp/),
    ]);
  });

  test('routes that do not exist and routes that nothing uses', () => {
    expect(mistakesIn(text.replace('failure_route[call_failed]', 'failure_route[failed]'))).toEqual([
      expect.stringMatching(/there is no failure_route\[call_failed\]/),
      expect.stringMatching(/nothing leads to failure_route\[failed\]/),
    ]);
  });

  test('too many arguments', () => {
    expect(mistakesIn(text.replace('rtp_relay_engage("rtpproxy")', 'rtp_relay_engage("rtpproxy", 1, 2)'))).toEqual([
      expect.stringMatching(/rtp_relay_engage takes 1 to 2 arguments, not 3/),
    ]);
  });
});

/** `3.6.8`, or null without OpenSIPS. */
function opensipsVersion(): string | null {
  try {
    const output = execFileSync('opensips', ['-V'], { encoding: 'utf8', stdio: 'pipe' });
    return /opensips (\d+\.\d+\.\d+)/.exec(output)?.[1] ?? output;
  } catch {
    return null;
  }
}

/** Read with the module path of the installed program, which is not everywhere what the file says. */
function parsedByOpensips(text: string): string {
  const scratch = mkdtempSync(join(tmpdir(), 'sipreel-opensips-'));
  try {
    const file = join(scratch, 'opensips.cfg');
    const [modules] = globSync([
      '/usr/lib/*/opensips/modules',
      '/usr/lib*/opensips/modules',
      '/usr/local/lib*/opensips/modules',
    ]);
    writeFileSync(file, modules ? text.replace(/^mpath = .*$/m, `mpath = "${modules}/"`) : text);
    execFileSync('opensips', ['-C', '-f', file], { encoding: 'utf8', stdio: 'pipe' });
    return 'accepted';
  } catch (error) {
    return String((error as { stderr?: string }).stderr ?? error);
  } finally {
    rmSync(scratch, { recursive: true });
  }
}
