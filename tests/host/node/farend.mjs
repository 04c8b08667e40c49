// MQTT.js as the far end of a test: node farend.mjs url clientId
// Rule: one JSON object a line; what is asked for comes by stdin in "do", what happened goes to stdout in "is".
import readline from 'node:readline';
import mqtt from 'mqtt';

const AT_ONCE = 20; // mosquitto ends the link of who has more of QoS 2 on the way
const tell = (event) => process.stdout.write(`${JSON.stringify(event)}\n`);
const [url, clientId] = process.argv.slice(2);
const client = await mqtt.connectAsync(url, { clientId, reconnectPeriod: 0 });

client.on('message', (topic, payload, { qos, dup, retain }) =>
  tell({ is: 'message', topic, payload: payload.toString(), qos, dup, retain }));
client.on('error', (error) => tell({ is: 'error', error: String(error) }));

const asked = {
  async subscribe({ topic, qos }) {
    await client.subscribeAsync(topic, { qos });
    tell({ is: 'subscribed' });
  },
  async publish({ topic, payloads, qos }) {
    for (let i = 0; i < payloads.length; i += AT_ONCE) {
      await Promise.all(payloads.slice(i, i + AT_ONCE).map((payload) => client.publishAsync(topic, payload, { qos })));
    }
    tell({ is: 'published' });
  },
};

readline.createInterface({ input: process.stdin })
  .on('line', (line) => { const question = JSON.parse(line); asked[question.do](question); })
  .on('close', () => process.exit());
tell({ is: 'connected' });
