/** Starts the one server that all test files talk to, and stops it after the last. */

import type { TestProject } from 'vitest/node';

import { ServerProcess } from './server.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** Where the server of this run is. */
    serverUrl: string;
    /** The port it listens on. */
    serverPort: number;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await ServerProcess.start();
  project.provide('serverUrl', server.url);
  project.provide('serverPort', server.port);
  return () => server.remove();
}
