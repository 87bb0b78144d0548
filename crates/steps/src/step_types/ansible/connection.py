"""Forwards Ansible's commands over a socket to the bake that runs the playbook, which runs them over its own
connection to the machine. Works with ansible-core from 2.12 on."""
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

import functools
import json
import os
import shlex
import socket
import struct
import sys
import time

import ansible.plugins.action
from ansible.errors import AnsibleConnectionFailure, AnsibleError, AnsibleFileNotFound
from ansible.module_utils.common.text.converters import to_bytes, to_text
from ansible.plugins.connection import ConnectionBase
from ansible.utils.display import Display

# Maximum bytes that are sent at once, and that one command fetches of a file.
CHUNK = 64 << 10
PIECE = 8 << 20
# Folder of Ansible's own action plug-ins.
ACTIONS = os.path.dirname(ansible.plugins.action.__file__)


def adopt_reboot():
    """Makes the module `reboot` restart the machine through the bake, which has a method for each platform: a
    sandbox or a container has no shutdown, and no boot id that changes. Ansible loads the module by more than
    one name; only its own file is adapted, not a user's module of the same name."""
    for name, module in list(sys.modules.items()):
        if not name.endswith('.action.reboot') or os.path.dirname(getattr(module, '__file__', None) or '') != ACTIONS:
            continue
        action = getattr(module, 'ActionModule', None)
        methods = ('perform_reboot', 'get_shutdown_command', 'get_shutdown_command_args', 'check_boot_time', 'validate_reboot')
        if action and not hasattr(action, 'ami_bake') and all(hasattr(action, method) for method in methods):
            action.ami_bake = True
            for method in methods:
                ours = globals()[f'_{method}']
                setattr(action, method, functools.partialmethod(ours, getattr(action, method)))


def _by_bake(action):
    """Whether the bake restarts the machine: a custom command of the user runs instead if there is a system to
    restart."""
    return isinstance(action._connection, Connection) and (
        'reboot_command' not in action._task.args or 'AMI_BAKE_ENTERED' in os.environ)


def _perform_reboot(action, theirs, *args, **kwargs):
    if not _by_bake(action):
        return theirs(action, *args, **kwargs)
    if 'reboot_command' in action._task.args:
        Display().warning('`reboot_command` is not run: a sandbox or a container is restarted by ami-bake')
    limit = action._task.args.get('reboot_timeout', action._task.args.get('reboot_timeout_sec', action.DEFAULT_REBOOT_TIMEOUT))
    time.sleep(action.pre_reboot_delay)
    connection = action._connection
    # The next command triggers the restart instead, so that the module's own messages and times stay the same.
    connection.restart_within, connection.restart_failed = int(limit), None
    try:
        result = theirs(action, *args, **kwargs)
    finally:
        connection.restart_within = None
    if connection.restart_failed:
        result['msg'] = connection.restart_failed
    return result


def _get_shutdown_command(action, theirs, *args, **kwargs):
    return 'reboot' if _by_bake(action) else theirs(action, *args, **kwargs)


def _get_shutdown_command_args(action, theirs, *args, **kwargs):
    return '' if _by_bake(action) else theirs(action, *args, **kwargs)


def _check_boot_time(action, theirs, *args, **kwargs):
    # The bake has already seen the new boot.
    return None if _by_bake(action) else theirs(action, *args, **kwargs)


def _validate_reboot(action, theirs, *args, **kwargs):
    result = theirs(action, *args, **kwargs)
    if not _by_bake(action) and isinstance(action._connection, Connection) and not result.get('failed'):
        action._connection.reset()
    return result


class Connection(ConnectionBase):
    """The connection to one machine: the one that is being baked."""

    transport = 'ami_bake'
    has_pipelining = True
    # Time limit in seconds for the restart that the next command triggers, and why the last restart failed.
    restart_within = None
    restart_failed = None

    def _connect(self):
        self._connected = True
        return self

    def exec_command(self, cmd, in_data=None, sudoable=True):
        super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        adopt_reboot()
        if self.restart_within is not None:
            return self._restart()
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
        self._ask('recover')
        self._connect()

    def _restart(self):
        seconds, self.restart_within = self.restart_within, None
        try:
            # The module's own waits before and after the restart are not changed.
            return self._ask({'restart': {'timeout': max(seconds, 0)}})
        except AnsibleConnectionFailure as error:
            # Ansible treats a lost connection as a restart in progress.
            self.restart_failed = to_text(error)
            return 1, b'', to_bytes(self.restart_failed)

    def _run(self, command, chunks):
        """(status, standard output, standard error) of a command; its standard input consists of the chunks."""
        return self._ask({'exec': {'command': to_text(command, errors='surrogate_or_strict')}}, chunks)

    def _ask(self, what, chunks=()):
        """The bake's answer, as the result of a command. Only commands have input."""
        message = json.dumps(what).encode()
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as bake:
                bake.connect(self.get_option('socket'))
                bake.sendall(struct.pack('>I', len(message)) + message)
                for chunk in chunks:
                    bake.sendall(struct.pack('>I', len(chunk)) + chunk)
                if 'exec' in what:
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
