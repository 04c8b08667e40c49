// Run a script under 32-bit MicroPython (the WebAssembly port), whose objects are as large as on an ESP32 or a Pico.
// Rule: a file system of copies; the exit code is the script's. Garbage is collected, and TCP moves, only where no Python
// runs: a script that has work of that kind leaves a function turn(), called again and again while it returns True.
// node --no-liftoff mp32.mjs -p micropython.mjs [-X heapsize=64k] [-d folder=name]... script.py [args]: name "." copies
// what is in the folder
import fs from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { Network } from './net.mjs';

const UNITS = { '': 1, k: 1024, m: 1024 * 1024 };

function options(args) {
  const found = { port: null, heapsize: 512 * 1024, folders: [] };
  while (args[0]?.startsWith('-')) {
    const [flag, value] = args.splice(0, 2);
    const heap = /^heapsize=(\d+)([km]?)$/i.exec(value);
    if (flag === '-X' && heap) found.heapsize = heap[1] * UNITS[heap[2].toLowerCase()];
    else if (flag === '-p') found.port = value;
    else if (flag === '-d') found.folders.push(value.split('='));
    else throw new Error(`unknown option ${flag} ${value}`);
  }
  return { ...found, script: args[0], args };
}

function copy(FS, from, to) {
  FS.mkdirTree(to);
  for (const entry of fs.readdirSync(from, { withFileTypes: true })) {
    const source = path.join(from, entry.name), target = `${to}/${entry.name}`;
    if (entry.isDirectory() && !/^[._]/.test(entry.name)) copy(FS, source, target);
    else if (/\.m?py$/.test(entry.name)) FS.writeFile(target, fs.readFileSync(source));
  }
}

async function run(mp, { script, args }) {
  const network = new Network(mp);
  mp.runPython(`import sys; sys.path.insert(0, '/lib'); sys.argv[:] = ${JSON.stringify(args)}`);
  try {
    mp.runPython(fs.readFileSync(script, 'utf8'));
    const turn = mp.globals.get('turn');
    while (turn?.()) await network.rest();
    return 0;
  } catch (error) {
    if (error.type === 'SystemExit') return Number(/SystemExit: (-?\d+)/.exec(error.message)?.[1] ?? 0);
    process.stderr.write(`${error.name === 'PythonError' ? error.message : error.stack}\n`);
    return error.name === 'PythonError' ? 1 : 3;
  }
}

const chosen = options(process.argv.slice(2));
const { loadMicroPython } = await import(pathToFileURL(chosen.port));
const mp = await loadMicroPython({
  heapsize: chosen.heapsize,
  linebuffer: false,
  stdout: (bytes) => process.stdout.write(bytes),
  stderr: (bytes) => process.stderr.write(bytes),
});
for (const [folder, name] of chosen.folders) copy(mp.FS, folder, `/lib/${name}`);
process.exitCode = await run(mp, chosen);
