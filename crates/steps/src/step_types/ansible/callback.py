"""Reports to the bake that runs the playbook which tasks failed, and whether anything ran at all."""
from __future__ import annotations

DOCUMENTATION = r'''
name: ami_bake_events
type: notification
short_description: Tells the bake which tasks failed
description:
  - The bake names the failed task in its own report.
author: ami-bake
version_added: "1.0"
'''

import json
import os
import socket
import struct

from ansible.module_utils.common.text.converters import to_text
from ansible.plugins.callback import CallbackBase


def tell(message):
    """Sends a message. Failures are ignored: the output has the same information."""
    data = json.dumps(message).encode()
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as bake:
            bake.connect(os.environ['AMI_BAKE_SOCKET'])
            bake.sendall(struct.pack('>I', len(data)) + data)
            # Keeps the order: the bake closes the connection when it has read the message.
            bake.recv(1)
    except (OSError, KeyError):
        pass


def said(result):
    """Why it failed, as the module's message."""
    if result.get('_ansible_no_log') or result.get('censored'):
        return 'its output is hidden by no_log'
    for item in result.get('results') or ():
        if isinstance(item, dict) and (item.get('failed') or item.get('unreachable')):
            return said(item)
    words = [to_text(result[key]).strip() for key in ('msg', 'stderr', 'module_stderr') if result.get(key)]
    return '\n'.join(word for at, word in enumerate(words) if word and word not in words[:at])


class CallbackModule(CallbackBase):
    """Reports failures as messages."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = 'notification'
    CALLBACK_NAME = 'ami_bake_events'

    def _failed(self, result, unreachable):
        # Both have another name from ansible-core 2.19 on.
        task = result.task if hasattr(result, 'task') else result._task
        content = result.result if hasattr(result, 'result') else result._result
        tell({'failed': {
            'task': to_text(task.get_name()).strip(), 'place': to_text(task.get_path() or ''),
            'action': to_text(task.action or ''), 'said': said(content), 'unreachable': unreachable}})

    def v2_runner_on_failed(self, result, ignore_errors=False):
        if not ignore_errors:
            self._failed(result, False)

    def v2_runner_on_unreachable(self, result):
        self._failed(result, True)

    def v2_playbook_on_stats(self, stats):
        tell({'ended': {'hosts': len(stats.processed)}})
