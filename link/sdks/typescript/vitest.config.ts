import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['tests/**/*.spec.ts'],
    globalSetup: ['tests/setup/global.ts'],
    // Every file talks to the one server of the run, in a namespace of its own.
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // What the tests import is the package as it is published, not its sources.
    alias: { 'kalam-link/react': new URL('dist/react.js', import.meta.url).pathname, 'kalam-link': new URL('dist/index.node.js', import.meta.url).pathname },
    server: { deps: { external: [/\/dist\//, /\/pkg\//] } },
  },
});
