"""A client of python-socketio for test/python-client.test.ts: python3 client.py URL TRANSPORT. Prints what it has received as JSON."""
import json
import queue
import sys

import socketio

URL, TRANSPORT = sys.argv[1:]
DEADLINE = 30

heard = queue.Queue()
client = socketio.Client(reconnection_delay=0.01, reconnection_delay_max=0.05)
seen = {}


@client.on('said', namespace='/chat')
def said(text, data):
    heard.put([text, list(data)])


@client.on('well?', namespace='/chat')
def well(number):
    return number + 1


@client.on('connect', namespace='/chat')
def connect():
    heard.put('connect')


@client.on('disconnect', namespace='/chat')
def disconnect():
    heard.put('disconnect')


def read():
    return heard.get(timeout=DEADLINE)


refused = socketio.Client(reconnection=False)
errors = queue.Queue()
refused.on('connect_error', errors.put, namespace='/chat')
refused.connect(URL, namespaces=['/chat'], transports=[TRANSPORT], wait=False)
seen['refusal'] = errors.get(timeout=DEADLINE)
refused.disconnect()

client.connect(URL, namespaces=['/chat'], auth={'token': 'secret'}, transports=[TRANSPORT], wait_timeout=DEADLINE)
seen['first'] = read()
seen['answer'] = client.call('say', ('你好', b'\x01\x02'), namespace='/chat', timeout=DEADLINE)
seen['answer'] = [seen['answer'][0], list(seen['answer'][1])]
seen['event'] = read()
seen['asked'] = client.call('ask me', namespace='/chat', timeout=DEADLINE)
# Over polling it does not reconnect after the server has closed the connection.
if TRANSPORT == 'websocket':
    client.emit('cut me', namespace='/chat')
    seen['lost'] = [read(), read()]
    seen['again'] = client.call('ask me', namespace='/chat', timeout=DEADLINE)
seen['transport'] = client.transport()
client.disconnect()
seen['left'] = read()
print(json.dumps(seen))
