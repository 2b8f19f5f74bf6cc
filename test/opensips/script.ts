// A tokenizer for OpenSIPS configuration scripts and the structure the test asks about. Knows no grammar beyond that.

export interface Token {
  kind: 'word' | 'string' | 'variable' | 'mark';
  /** Strings without their quotes; variables without `$` and without what stands in parentheses. */
  text: string;
  line: number;
}

export interface Call {
  name: string;
  /** Each argument as its tokens; an argument left out is empty. */
  args: Token[][];
  line: number;
  /** Position among the tokens: earlier in the file is smaller. */
  at: number;
  /** The block it stands in. */
  block: Block;
}

export interface Block {
  kind: string;
  name: string;
  line: number;
  tokens: Token[];
}

export interface Script {
  tokens: Token[];
  /** Module names without `.so`, in order. */
  modules: string[];
  modparams: { module: string; name: string; value: string; line: number }[];
  sockets: string[];
  blocks: Block[];
  calls: Call[];
  /** Unbalanced brackets, open strings and comments. */
  mistakes: string[];
}

const CLOSER: Record<string, string> = { '(': ')', '{': '}', '[': ']' };
const STATEMENTS = new Set(['if', 'else', 'while', 'switch', 'for', 'return', 'exit', 'drop', 'break', 'route']);
const BLOCK_KINDS = /^(route|branch_route|failure_route|onreply_route|error_route|local_route|startup_route)$/;

export function readScript(text: string): Script {
  const mistakes: string[] = [];
  const tokens = tokenize(text, mistakes);
  checkBrackets(tokens, mistakes);
  const script: Script = { tokens, modules: [], modparams: [], sockets: [], blocks: [], calls: [], mistakes };
  if (mistakes.length === 0) readTopLevel(script);
  return script;
}

function tokenize(text: string, mistakes: string[]): Token[] {
  const tokens: Token[] = [];
  const pattern =
    /(?<comment>#[^\n]*|\/\*[\s\S]*?\*\/)|"(?<string>(?:[^"\\]|\\[\s\S])*)"|\$(?<variable>[A-Za-z_][\w.]*)|(?<word>[A-Za-z0-9_][\w.:-]*)|(?<mark>&&|\|\||[=!<>]=|[^\s\w])/g;
  let line = 1;
  let end = 0;
  for (const match of text.matchAll(pattern)) {
    line += newlines(text.slice(end, match.index));
    end = match.index + match[0].length;
    const groups = match.groups ?? {};
    const kind = (['string', 'variable', 'word', 'mark'] as const).find((name) => groups[name] !== undefined);
    if (kind === 'mark' && match[0] === '"') mistakes.push(`line ${line}: a string that never ends`);
    if (kind === 'mark' && text.startsWith('/*', match.index)) mistakes.push(`line ${line}: a comment that never ends`);
    if (kind) tokens.push({ kind, text: groups[kind] ?? '', line });
    line += newlines(match[0]);
  }
  return tokens;
}

const newlines = (text: string) => text.split('\n').length - 1;

function checkBrackets(tokens: Token[], mistakes: string[]): void {
  const open: Token[] = [];
  for (const token of tokens) {
    if (token.kind !== 'mark') continue;
    if (CLOSER[token.text]) open.push(token);
    else if (')}]'.includes(token.text)) {
      const opener = open.pop();
      if (!opener || CLOSER[opener.text] !== token.text)
        mistakes.push(`line ${token.line}: ${token.text} closes nothing that is open`);
    }
  }
  for (const { text, line } of open) mistakes.push(`line ${line}: ${text} is never closed`);
}

function readTopLevel(script: Script): void {
  const { tokens } = script;
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at]!;
    if (token.text === 'loadmodule') script.modules.push(tokens[at + 1]!.text.replace(/\.so$/, ''));
    else if (token.text === 'modparam') {
      const [module, name, value] = argumentsAt(tokens, at + 1).map((argument) => argument[0]?.text ?? '');
      script.modparams.push({ module: module!, name: name!, value: value!, line: token.line });
    } else if (token.text === 'socket') script.sockets.push(tokens[at + 2]!.text);
    else if (token.kind === 'word' && BLOCK_KINDS.test(token.text)) at = readBlock(script, at);
  }
}

/** Returns the position of the closing brace. */
function readBlock(script: Script, start: number): number {
  const { tokens } = script;
  const named = tokens[start + 1]?.text === '[';
  const open = named ? start + 4 : start + 1;
  const close = closing(tokens, open);
  const block: Block = {
    kind: tokens[start]!.text,
    name: named ? tokens[start + 2]!.text : '',
    line: tokens[start]!.line,
    tokens: tokens.slice(open + 1, close),
  };
  script.blocks.push(block);
  for (let at = open + 1; at < close; at++) {
    const token = tokens[at]!;
    if (token.kind !== 'word' || tokens[at + 1]?.text !== '(' || tokens[at + 1]?.kind !== 'mark') continue;
    if (STATEMENTS.has(token.text) && token.text !== 'route') continue;
    script.calls.push({ name: token.text, args: argumentsAt(tokens, at + 1), line: token.line, at, block });
  }
  return close;
}

function closing(tokens: Token[], open: number): number {
  let depth = 0;
  for (let at = open; at < tokens.length; at++) {
    const { kind, text } = tokens[at]!;
    if (kind === 'mark' && CLOSER[text]) depth++;
    if (kind === 'mark' && ')}]'.includes(text) && --depth === 0) return at;
  }
  return tokens.length;
}

function argumentsAt(tokens: Token[], open: number): Token[][] {
  const inside = tokens.slice(open + 1, closing(tokens, open));
  if (inside.length === 0) return [];
  const args: Token[][] = [[]];
  let depth = 0;
  for (const token of inside) {
    if (token.kind === 'mark' && CLOSER[token.text]) depth++;
    if (token.kind === 'mark' && ')}]'.includes(token.text)) depth--;
    if (token.kind === 'mark' && token.text === ',' && depth === 0) args.push([]);
    else args.at(-1)!.push(token);
  }
  return args;
}
