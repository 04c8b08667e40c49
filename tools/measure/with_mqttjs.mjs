// MQTT.js as bench.py measures it: `n` messages under way.
// Rule: as run.py. node with_mqttjs.mjs mqtt/build/index.js publish|receive url qos bytes count n
import { createRequire } from 'node:module';

const [library, way, url, ...numbers] = process.argv.slice(2);
const mqtt = createRequire(import.meta.url)(library);
const [qos, size, count, n] = numbers.map(Number);
const topic = 'bench/topic', payload = Buffer.alloc(size);
const now = () => performance.now() * 1000;

function go() {
  console.log('ready');
  return new Promise((resolve) => process.stdin.once('data', resolve));
}

async function publish(client) {
  await go();
  const begin = now();
  let left = count;
  async function one() {
    while (left-- > 0) await client.publishAsync(topic, payload, { qos });
  }
  await Promise.all(Array.from({ length: n }, one));
  return now() - begin;
}

async function receive(client) {
  await client.subscribeAsync(topic, { qos });
  let seen = 0, done;
  client.on('message', () => {
    if (++seen === count) done();
  });
  const all = new Promise((resolve) => { done = resolve; });
  client.stream.pause();  // nothing is read before the time begins
  await go();
  const begin = now();
  client.stream.resume();
  await all;
  return now() - begin;
}

const client = await mqtt.connectAsync(url, { clientId: 'bench' });
const us = await (way === 'publish' ? publish : receive)(client);
console.log('us', Math.round(us));
await client.endAsync();
process.exit(0);
