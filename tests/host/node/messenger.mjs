// MQTT.js as one of two who write to each other: node messenger.mjs url name me {"count": n, "pause": ms}
// Rule: the same as writes() in scripts/messengers.py, line for line on stdin and stdout; the last line is "ok".
import assert from 'node:assert';
import readline from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import mqtt from 'mqtt';

const AT_ONCE = 8; // on a new link it sends these again one by one, each when the one before is acknowledged
const WORDS = ['Grüße', 'здравствуй', '你好', '👋🏽', 'naïve', '🎉🎊', 'τέλος', 'a', '👩‍👩‍👧‍👦', '…'];
const text = (i) => `${i}|${WORDS[i % 10]} ${WORDS[Math.floor((i * 7) / 10) % 10]}`;
const [url, name, me, options] = process.argv.slice(2);
const { count, pause } = JSON.parse(options);
const own = `${name}/to/${me}`;
const other = `${name}/to/${1 - me}`;
const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const got = [null, [], []];
let links = 0;
let ended = false;

const client = mqtt.connect(url, {
  clientId: `${name}-${me}`, clean: false, keepalive: 5, reconnectPeriod: 100, connectTimeout: 10000,
});
const until = async (condition) => { while (!condition()) await sleep(10); };
client.on('connect', () => { links += 1; });
client.on('error', () => {}); // of a link that was cut
client.on('message', (topic, payload, { qos }) => {
  const said = payload.toString();
  if (said === 'end') { ended = true; return; }
  const i = parseInt(said, 10);
  assert.equal(said, text(i));
  assert.equal(qos, (i % 2) + 1);
  got[qos].push(i);
});

const numbers = (first) => Array.from({ length: count / 2 }, (_, i) => 2 * i + first);
await client.subscribeAsync(own, { qos: 2 });
console.log('connected');
await lines.next();
let left = count;
const write = async (i) => {
  try {
    await client.publishAsync(other, text(i), { qos: (i % 2) + 1 });
    left -= 1;
  } catch { // a cut before it was through with those again: this one was not even begun, nor is it kept
    write(i);
  }
};
for (let i = 0; i < count; i += 1) {
  await until(() => left - (count - i) < AT_ONCE);
  write(i);
  await sleep(pause);
}
await until(() => left === 0 && new Set([...got[1], ...got[2]]).size === count);
console.log('has all');
await lines.next();
await until(() => client.connected);
await client.publishAsync(other, 'end', { qos: 2 });
await until(() => ended);
assert.deepEqual(got[2], numbers(1));
assert.deepEqual([...new Set(got[1])], numbers(0));
console.log(`reconnected ${links - 1} again ${got[1].length - count / 2}`);
await client.endAsync();
console.log('ok');
process.exit();
