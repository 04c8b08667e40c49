// Run steps of Python, one after another, under 32-bit MicroPython (the WebAssembly port).
// Rule: garbage is collected between two steps and never within one; a file system of copies, no sockets.
// node --no-liftoff steps32.mjs micropython.mjs '["step", ...]' folder=name ...: name "." copies what is in the folder
import fs from 'node:fs';
import { pathToFileURL } from 'node:url';

const [port, steps, ...folders] = process.argv.slice(2);
const { loadMicroPython } = await import(pathToFileURL(port));
const mp = await loadMicroPython({
  heapsize: 1024 * 1024,
  linebuffer: false,
  stdout: (bytes) => process.stdout.write(bytes),
});
for (const [folder, name] of folders.map((each) => each.split('='))) {
  const target = `/lib/${name}`;
  mp.FS.mkdirTree(target);
  for (const file of fs.readdirSync(folder).filter((each) => /\.m?py$/.test(each))) {
    mp.FS.writeFile(`${target}/${file}`, fs.readFileSync(`${folder}/${file}`));
  }
}
try {
  mp.runPython("import sys; sys.path.insert(0, '/lib')");
  for (const step of JSON.parse(steps)) mp.runPython(step);
} catch (error) {
  process.stderr.write(`${error.name === 'PythonError' ? error.message : error.stack}\n`);
  process.exitCode = 1;
}
