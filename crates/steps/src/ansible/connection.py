"""Carries what Ansible does on the machine to the bake that runs the playbook, by a socket; the bake's own connection to the
machine carries it on. Works with ansible-core from 2.12 on."""
from __future__ import annotations

DOCUMENTATION = r'''
name: ami_bake
short_description: The connection of the bake that runs the playbook
description:
  - Commands and files go to ami-bake by a socket, and over its own connection to the machine that is being baked.
author: ami-bake
version_added: "1.0"
options:
  socket:
    description: The socket of the bake.
    type: path
    env:
      - name: AMI_BAKE_SOCKET
'''

import json
import os
import shlex
import socket
import struct

from ansible.errors import AnsibleConnectionFailure, AnsibleError, AnsibleFileNotFound
from ansible.module_utils.common.text.converters import to_bytes, to_text
from ansible.plugins.connection import ConnectionBase

# So much is sent at once, and so much of a file is fetched by one command.
CHUNK = 64 << 10
PIECE = 8 << 20


class Connection(ConnectionBase):
    """One machine: the one that is being baked."""

    transport = 'ami_bake'
    has_pipelining = True

    def _connect(self):
        self._connected = True
        return self

    def exec_command(self, cmd, in_data=None, sudoable=True):
        super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        data = to_bytes(in_data) if in_data else b''
        return self._run(cmd, (data[at:at + CHUNK] for at in range(0, len(data), CHUNK)))

    def put_file(self, in_path, out_path):
        super().put_file(in_path, out_path)
        path = to_bytes(in_path, errors='surrogate_or_strict')
        if not os.path.isfile(path):
            raise AnsibleFileNotFound(f'there is no file {to_text(in_path)}')
        with open(path, 'rb') as file:
            status, _, error = self._run(f'umask 077 && cat > {shlex.quote(to_text(out_path))}', iter(lambda: file.read(CHUNK), b''))
        if status:
            raise AnsibleError(f'send {to_text(in_path)} to {to_text(out_path)}: {to_text(error).strip()}')

    def fetch_file(self, in_path, out_path):
        super().fetch_file(in_path, out_path)
        path = shlex.quote(to_text(in_path))
        at = 0
        with open(to_bytes(out_path, errors='surrogate_or_strict'), 'wb') as file:
            while True:
                status, piece, error = self._run(f'test -f {path} && tail -c +{at + 1} {path} | head -c {PIECE}', ())
                if status:
                    raise AnsibleError(f'fetch {to_text(in_path)}: {to_text(error).strip() or "there is no such file"}')
                file.write(piece)
                at += len(piece)
                if len(piece) < PIECE:
                    return

    def close(self):
        self._connected = False

    def reset(self):
        self.close()
        self._connect()

    def _run(self, command, chunks):
        """(status, standard output, standard error) of a command whose standard input is made of chunks."""
        message = json.dumps({'exec': {'command': to_text(command, errors='surrogate_or_strict')}}).encode()
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as bake:
                bake.connect(self.get_option('socket'))
                bake.sendall(struct.pack('>I', len(message)) + message)
                for chunk in chunks:
                    bake.sendall(struct.pack('>I', len(chunk)) + chunk)
                bake.sendall(struct.pack('>I', 0))
                with bake.makefile('rb') as answer:
                    return self._answer(answer)
        except OSError as error:
            raise AnsibleConnectionFailure(f'the bake does not answer: {error}') from error

    @staticmethod
    def _answer(answer):
        streams = {b'o': [], b'e': []}
        while True:
            head = answer.read(5)
            if len(head) < 5:
                raise AnsibleConnectionFailure('the bake broke off')
            kind, (length,) = head[:1], struct.unpack('>I', head[1:])
            content = answer.read(length)
            if kind == b's':
                return int(content), b''.join(streams[b'o']), b''.join(streams[b'e'])
            if kind == b'l':
                raise AnsibleConnectionFailure(to_text(content))
            streams[kind].append(content)
