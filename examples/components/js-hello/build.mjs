// hello.js -> build/js-hello.wasm
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { componentize } from '@bytecodealliance/componentize-js';

const { name } = JSON.parse(await readFile('package.json', 'utf8'));
const { component } = await componentize({
  sourcePath: 'hello.js',
  witPath: 'wit',
  worldName: 'component',
});
await mkdir('build', { recursive: true });
await writeFile(`build/${name}.wasm`, component);
