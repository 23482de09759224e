// plugin.js and what it imports -> build/NAME.wasm
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { spawnSync } from 'node:child_process';
import { componentize } from '@bytecodealliance/componentize-js';

// The compiler does not say where a file is no JavaScript; Node does.
if (spawnSync(process.execPath, ['--check', 'plugin.js'], { stdio: 'inherit' }).status !== 0) {
  process.exit(1);
}
const { name } = JSON.parse(await readFile('package.json', 'utf8'));
const { component } = await componentize({
  sourcePath: 'plugin.js',
  witPath: 'wit',
  worldName: 'plugin',
  // The gateway has no such interfaces for plugins; upstreams are reached by `http-client`.
  disableFeatures: ['http', 'fetch-event'],
});
await mkdir('build', { recursive: true });
await writeFile(`build/${name}.wasm`, component);
