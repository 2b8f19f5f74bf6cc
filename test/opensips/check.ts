// What can be wrong in an OpenSIPS script without OpenSIPS at hand. The tables are from the module documentation of
// 3.1, 3.4 and 3.6 and hold what our configurations use; an entry missing here is a mistake as well.
import { type Call, readScript, type Script, type Token } from './script.ts';

interface FunctionEntry {
  module: string;
  /** Fewest and most arguments. */
  arity: [number, number];
}

const FUNCTIONS: Record<string, FunctionEntry> = {
  xlog: { module: 'core', arity: [1, 2] },
  is_myself: { module: 'core', arity: [1, 2] },
  mf_process_maxfwd_header: { module: 'maxfwd', arity: [1, 1] },
  send_reply: { module: 'signaling', arity: [2, 2] },
  has_totag: { module: 'sipmsgops', arity: [0, 0] },
  is_method: { module: 'sipmsgops', arity: [1, 1] },
  t_relay: { module: 'tm', arity: [0, 2] },
  t_check_trans: { module: 'tm', arity: [0, 0] },
  t_was_cancelled: { module: 'tm', arity: [0, 0] },
  t_on_branch: { module: 'tm', arity: [1, 1] },
  t_on_failure: { module: 'tm', arity: [1, 1] },
  t_on_reply: { module: 'tm', arity: [1, 1] },
  loose_route: { module: 'rr', arity: [0, 0] },
  record_route: { module: 'rr', arity: [0, 1] },
  save: { module: 'registrar', arity: [1, 4] },
  lookup: { module: 'registrar', arity: [1, 3] },
  create_dialog: { module: 'dialog', arity: [0, 1] },
  rtpproxy_engage: { module: 'rtpproxy', arity: [0, 5] },
  rtp_relay_engage: { module: 'rtp_relay', arity: [1, 2] },
  siprec_start_recording: { module: 'siprec', arity: [1, 7] },
};

const PARAMETERS: Record<string, string[]> = {
  tm: ['fr_timeout', 'fr_inv_timeout'],
  usrloc: ['working_mode_preset'],
  rtpproxy: ['rtpproxy_sock'],
  siprec: ['skip_failover_codes'],
};

const VARIABLES: Record<string, string> = {
  ci: 'core',
  fd: 'core',
  fu: 'core',
  rd: 'core',
  ru: 'core',
  si: 'core',
  tu: 'core',
  T_fr_timeout: 'tm',
  T_fr_inv_timeout: 'tm',
  T_reply_code: 'tm',
  rtp_relay: 'rtp_relay',
  rtp_relay_peer: 'rtp_relay',
  siprec: 'siprec',
};

/** Indexes of $siprec(...) that exist in 3.4 already. */
const SIPREC_SETTINGS = ['group', 'caller', 'callee', 'media', 'headers', 'socket'];

/** What must be loaded before a module, in every version; rtp_relay for siprec is asked for in the test. */
const NEEDS: Record<string, string[]> = {
  registrar: ['usrloc', 'signaling'],
  dialog: ['tm', 'rr'],
  b2b_entities: ['tm'],
  rtp_relay: ['dialog', 'rtpproxy'],
  siprec: ['tm', 'dialog', 'b2b_entities', 'rtpproxy'],
};
/** Which block a call hands the message to. */
const HANDLERS: Record<string, string> = {
  route: 'route',
  t_on_branch: 'branch_route',
  t_on_failure: 'failure_route',
  t_on_reply: 'onreply_route',
};

/** Every mistake found, one sentence each. */
export function mistakesIn(text: string): string[] {
  const script = readScript(text);
  if (script.mistakes.length > 0) return script.mistakes;
  return [
    ...loadOrder(script),
    ...modparams(script),
    ...script.calls.flatMap((call) => mistakesInCall(call, script)),
    ...variables(script),
    ...blocks(script),
  ];
}

function loadOrder({ modules }: Script): string[] {
  return modules.flatMap((module, at) =>
    (NEEDS[module] ?? [])
      .filter((needed) => !modules.slice(0, at).includes(needed))
      .map((needed) => `${module} needs ${needed} loaded before it`),
  );
}

function modparams({ modparams: parameters, modules }: Script): string[] {
  return parameters.flatMap(({ module, name, line }) => {
    if (!modules.includes(module)) return [`line ${line}: modparam for ${module}, which is not loaded`];
    return PARAMETERS[module]?.includes(name) ? [] : [`line ${line}: ${module} has no parameter ${name}`];
  });
}

function mistakesInCall({ name, args, line }: Call, { modules }: Script): string[] {
  if (name === 'route') return [];
  const entry = FUNCTIONS[name];
  if (!entry) return [`line ${line}: no module has a function ${name}`];
  const mistakes: string[] = [];
  if (entry.module !== 'core' && !modules.includes(entry.module))
    mistakes.push(`line ${line}: ${name} belongs to ${entry.module}, which is not loaded`);
  const [fewest, most] = entry.arity;
  if (args.length < fewest || args.length > most)
    mistakes.push(`line ${line}: ${name} takes ${fewest} to ${most} arguments, not ${args.length}`);
  return mistakes;
}

function variables({ tokens, modules }: Script): string[] {
  return tokens.flatMap((token, at) => {
    const names = token.kind === 'variable' ? [token.text] : token.kind === 'string' ? variablesIn(token) : [];
    return names.flatMap((name) => {
      const module = VARIABLES[name];
      if (!module) return [`line ${token.line}: $${name} is not known`];
      if (module !== 'core' && !modules.includes(module))
        return [`line ${token.line}: $${name} belongs to ${module}, which is not loaded`];
      const setting = tokens[at + 2]?.text ?? '';
      return name === 'siprec' && !SIPREC_SETTINGS.includes(setting)
        ? [`line ${token.line}: $siprec has no ${setting}`]
        : [];
    });
  });
}

const variablesIn = ({ text }: Token) => [...text.matchAll(/\$([A-Za-z_]\w*)/g)].map((match) => match[1]!);

function blocks({ calls, blocks: all }: Script): string[] {
  const mistakes: string[] = [];
  const used = new Set(['route[]']);
  for (const call of calls) {
    const kind = HANDLERS[call.name];
    if (!kind) continue;
    const target = call.args[0]?.[0]?.text ?? '';
    used.add(`${kind}[${target}]`);
    if (!all.some((block) => block.kind === kind && block.name === target))
      mistakes.push(`line ${call.line}: there is no ${kind}[${target}]`);
  }
  for (const { kind, name, line } of all) {
    if (!used.has(`${kind}[${name}]`)) mistakes.push(`line ${line}: nothing leads to ${kind}[${name}]`);
  }
  return mistakes;
}
