// Which app connections want new requests of which SIP method, served in turn.

export class RouteTable<App> {
  readonly #appsByVerb = new Map<string, App[]>();

  /** The verb is compared without regard to case. Registering twice counts once. */
  add(verb: string, app: App): void {
    const apps = this.#appsByVerb.get(verb.toLowerCase());
    if (!apps) this.#appsByVerb.set(verb.toLowerCase(), [app]);
    else if (!apps.includes(app)) apps.push(app);
  }

  remove(verb: string, app: App): void {
    const key = verb.toLowerCase();
    const left = (this.#appsByVerb.get(key) ?? []).filter((other) => other !== app);
    if (left.length > 0) this.#appsByVerb.set(key, left);
    else this.#appsByVerb.delete(key);
  }

  removeApp(app: App): void {
    for (const verb of [...this.#appsByVerb.keys()]) this.remove(verb, app);
  }

  /** The app whose turn it is; it goes to the end of the line. */
  next(verb: string): App | undefined {
    const apps = this.#appsByVerb.get(verb.toLowerCase());
    const app = apps?.shift();
    if (app !== undefined) apps!.push(app);
    return app;
  }

  /** The methods that somebody wants, in upper case, for an Allow header. */
  methods(): string[] {
    return [...this.#appsByVerb.keys()].map((verb) => verb.toUpperCase()).sort();
  }
}
