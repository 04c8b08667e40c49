// A second opinion on every byte: reads rows {fields, hex} as JSON, and answers with what mqtt-packet makes of each.
// Rule: no opinion of its own; the test compares.
import fs from 'node:fs';
import mqtt from 'mqtt-packet';

const revive = (fields) => JSON.parse(JSON.stringify(fields), (key, value) =>
  value && typeof value === 'object' && 'bytes' in value ? Buffer.from(value.bytes, 'hex') : value);

function plain(value) {
  if (Buffer.isBuffer(value)) return { bytes: value.toString('hex') };
  if (Array.isArray(value)) return value.map(plain);
  if (value && typeof value === 'object') return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, plain(v)]));
  return value;
}

function parse(hex, options) {
  const parser = mqtt.parser(options);
  let found = null;
  parser.on('packet', (packet) => { found = plain(packet); });
  parser.on('error', (error) => { found = { error: error.message }; });
  parser.parse(Buffer.from(hex, 'hex'));
  return found;
}

const rows = JSON.parse(fs.readFileSync(0, 'utf8'));
const answers = rows.map(({ fields, hex }) => {
  const options = { protocolVersion: fields.protocolVersion ?? 4 };
  return { generated: mqtt.generate(revive(fields), options).toString('hex'), parsed: parse(hex, options) };
});
process.stdout.write(JSON.stringify(answers));
