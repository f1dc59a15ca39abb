// MQTT.js as a client of the tests: orders, answers and messages as in adapter.py.
'use strict';

const mqtt = require('mqtt');
const readline = require('readline');

const write = (line) => process.stdout.write(JSON.stringify(line) + '\n');
const withBytes = (part) => ({ ...part, payload: Buffer.from(part.payload, 'hex') });

let client;
// Whether the latest PUBLISH went out without a topic.
let aliased = false;

function connect(order) {
  const is5 = order.version === 5;
  const properties = {};
  if (order.aliases) properties.topicAliasMaximum = 10;
  if (!order.clean) properties.sessionExpiryInterval = 3600;
  client = mqtt.connect({
    host: '127.0.0.1',
    port: order.port,
    clientId: order.id,
    protocolId: order.version === 3 ? 'MQIsdp' : 'MQTT',
    protocolVersion: order.version,
    clean: order.clean,
    will: order.will ? withBytes(order.will) : undefined,
    properties: is5 ? properties : undefined,
    autoAssignTopicAlias: is5 && order.aliases,
    reconnectPeriod: 0,
    resubscribe: false,
  });
  client.on('message', (topic, payload, packet) => {
    const { qos, retain } = packet;
    write({ message: { topic, payload: payload.toString('hex'), qos, retain } });
  });
  client.on('packetsend', (packet) => {
    if (packet.cmd === 'publish') aliased = packet.topic === '';
  });
  return new Promise((resolve, reject) => {
    client.once('connect', (connack) => resolve({ session_present: connack.sessionPresent }));
    client.once('error', reject);
    client.once('close', () => reject(new Error('closed before CONNACK')));
  });
}

async function subscribe(order) {
  const granted = await client.subscribeAsync(order.filter, { qos: order.qos });
  return { granted: granted[0].qos };
}

async function publish(order) {
  const { topic, payload, qos, retain } = withBytes(order);
  await client.publishAsync(topic, payload, { qos, retain });
  return { aliased };
}

async function leave() {
  await client.endAsync();
  return {};
}

const orders = { connect, subscribe, publish, leave };

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const order = JSON.parse(line);
    try {
      write({ answer: await orders[order.do](order) });
    } catch (error) {
      write({ error: String(error) });
    }
  }
  process.exit(0);
}

main();
