/** The server as a program that a test can kill and start again. */

import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, connect } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { execFileSync } from 'node:child_process';

export const ROOT_PASSWORD = 'correct horse battery staple';

const workspace = new URL('../../../../../', import.meta.url).pathname;

/** The server's program; built if the Rust tests have not done so. */
export function serverProgram(): string {
  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  const target = process.env['CARGO_TARGET_DIR'] ?? join(cache, 'kalamdb', 'target');
  const program = join(target, 'debug', 'kalamdb-server');
  if (!existsSync(program)) {
    execFileSync('cargo', ['build', '--package', 'kalamdb-server'], {
      cwd: workspace,
      env: { ...process.env, CARGO_TARGET_DIR: target },
      stdio: 'inherit',
    });
  }
  return program;
}

/** A port that nobody listens on right now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.on('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => (typeof address === 'object' && address ? resolve(address.port) : reject(new Error('no port'))));
    });
  });
}

/** A running server program. It keeps its port and its data when it is started again. */
export class ServerProcess {
  readonly port: number;
  readonly #program: string;
  readonly #dataDir: string;
  readonly #settings: Record<string, string>;
  #child: ChildProcess | undefined;

  private constructor(port: number, program: string, dataDir: string, settings: Record<string, string>) {
    this.port = port;
    this.#program = program;
    this.#dataDir = dataDir;
    this.#settings = settings;
  }

  static async start(settings: Record<string, string> = {}): Promise<ServerProcess> {
    const dataDir = await mkdtemp(join(tmpdir(), 'kalam-link-'));
    const server = new ServerProcess(await freePort(), serverProgram(), dataDir, settings);
    await server.startAgain();
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Starts the program on the data that is there and waits until it answers. */
  async startAgain(): Promise<void> {
    const environment: Record<string, string> = {
      KALAMDB_ROOT_PASSWORD: ROOT_PASSWORD,
      KALAMDB_AUTH__LOGIN_ATTEMPTS_PER_MINUTE: '0',
      // Pages of other origins are part of the tests.
      KALAMDB_WEBSOCKET__ALLOWED_ORIGINS: '["*"]',
      KALAMDB_WEBSOCKET__PROGRESS_INTERVAL_MS: '200',
      ...this.#settings,
    };
    const child = spawn(this.#program, ['--listen', `127.0.0.1:${this.port}`, '--data-dir', this.#dataDir], {
      env: { ...process.env, ...environment },
      stdio: 'ignore',
    });
    this.#child = child;
    while (!(await answers(this.port))) {
      if (child.exitCode !== null) throw new Error(`the server stopped at once: ${child.exitCode}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** `kill -9`. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  }

  /** Ends it for good and takes its data away. */
  async remove(): Promise<void> {
    await this.kill();
    await rm(this.#dataDir, { recursive: true, force: true });
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('close', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
