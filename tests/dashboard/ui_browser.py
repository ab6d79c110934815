"""A real browser, driven by DevTools messages over a pipe: real clicks and keys, and pictures.

Nothing but Chromium is needed, and no port: messages are JSON, each ended by a NUL.
"""

from __future__ import annotations

import base64
import json
import os
import select
import subprocess
import sys
import time
from pathlib import Path

OPTIONS = (
    "headless=new no-sandbox disable-gpu no-first-run no-default-browser-check disable-sync "
    "disable-background-networking disable-component-update disable-extensions disable-quic "
    "hide-scrollbars force-color-profile=srgb font-render-hinting=none remote-debugging-pipe"
)

LAUNCH = """
import os, sys
ends = [os.dup2(int(end), 200 + place) for place, end in enumerate(sys.argv[1:3])]
for end, fixed in zip(ends, (3, 4)):
    os.dup2(end, fixed)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""Chromium reads commands from descriptor 3 and answers on 4."""

PATIENCE_S = 30.0

KEYS = {"Tab": 9, "Enter": 13, "Escape": 27, "Space": 32}


class Browser:
    """One page of a headless Chromium; close it."""

    def __init__(self, chromium, folder):
        here_in, there_out = os.pipe()
        there_in, here_out = os.pipe()
        options = [f"--{option}" for option in OPTIONS.split()]
        words = [chromium, *options, f"--user-data-dir={Path(folder) / 'profile'}", "about:blank"]
        self._process = subprocess.Popen(
            [sys.executable, "-c", LAUNCH, str(there_in), str(there_out), *words],
            pass_fds=(there_in, there_out),
            env={"PATH": os.environ["PATH"], "HOME": str(folder)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(there_in)
        os.close(there_out)
        self._in, self._out = here_in, here_out
        self._rest, self._number, self._session = b"", 0, None
        self.events = []
        try:
            self._attach()
        except (OSError, EOFError, TimeoutError):
            self.close()
            raise

    def _attach(self):
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        found = self.send("Target.attachToTarget", targetId=target, flatten=True)
        self._session = found["sessionId"]
        for domain in ("Page", "DOM", "Runtime", "Network", "Log"):
            self.send(f"{domain}.enable")
        self.size(1280, 900)

    def close(self):
        """End the browser."""
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._in)
        os.close(self._out)

    def send(self, method, **params):
        """A command; what it answers."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            found = self._read()
            if found.get("id") == self._number:
                assert "error" not in found, (method, found)
                return found["result"]
            self.events.append(found)

    def _read(self, patience_s=PATIENCE_S):
        end = time.monotonic() + patience_s
        while b"\0" not in self._rest:
            if not select.select([self._in], [], [], max(0, end - time.monotonic()))[0]:
                raise TimeoutError("the browser said nothing")
            piece = os.read(self._in, 1 << 20)
            if not piece:
                raise EOFError("the browser ended")
            self._rest += piece
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)

    def _loaded(self):
        """Wait for the page to be there."""
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self._read())

    def size(self, width, height, *, dark=False, telephone=False):
        """Set the window, and the reader's colours."""
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=telephone,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", features=[scheme])

    def go(self, address):
        """Open an address."""
        self.events.clear()
        found = self.send("Page.navigate", url=address)
        assert "errorText" not in found, found
        self._loaded()

    def run(self, script):
        """The value of an expression, past the page's own policy."""
        found = self.send("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    @property
    def text(self):
        """The page's words as they are shown."""
        return self.run("document.body.innerText")

    @property
    def title(self):
        return self.run("document.title")

    @property
    def address(self):
        return self.run("location.href")

    def count(self, selector):
        """How many elements there are."""
        return self.run(f"document.querySelectorAll({json.dumps(selector)}).length")

    def click(self, selector, *, loads=True):
        """Press the mouse on the middle of an element; wait for the page that comes."""
        place = self.run(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
            " if (!e) return null; e.scrollIntoView({block: 'center', inline: 'center'});"
            " const r = e.getClientRects()[0];"
            " return [r.x + r.width / 2, r.y + r.height / 2]; })()"
        )
        assert place, f"nothing is {selector}"
        self.events.clear()
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self.send(
                "Input.dispatchMouseEvent",
                type=kind,
                x=place[0],
                y=place[1],
                button="left",
                clickCount=1,
            )
        if loads:
            self._loaded()

    def type(self, text):
        """Type into what has the focus."""
        self.send("Input.insertText", text=text)

    def press(self, key, *, loads=False):
        """Press a key."""
        self.events.clear()
        words = {"Enter": "\r", "Space": " "}.get(key, key if len(key) == 1 else "")
        code = KEYS.get(key, ord(key.upper()[0]))
        for kind in ("keyDown", "keyUp"):
            self.send(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                text=words if kind == "keyDown" else "",
                windowsVirtualKeyCode=code,
            )
        if loads:
            self._loaded()

    def picture(self, file, *, whole=True):
        """Write what is shown as PNG."""
        found = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        Path(file).write_bytes(base64.b64decode(found["data"]))

    def whole_picture(self, file, width, *, dark=False, most=4000):
        """Write the page from top to bottom as PNG."""
        self.size(width, 800, dark=dark, telephone=width < 600)
        height = min(most, self.run("document.documentElement.scrollHeight"))
        self.size(width, height, dark=dark, telephone=width < 600)
        self.picture(file, whole=False)
        self.size(width, 800, dark=dark, telephone=width < 600)

    @property
    def overflow(self):
        """Pixels by which the page is wider than its window."""
        return self.run(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )

    @property
    def complaints(self):
        """What the browser's console says against the page: refused styles, scripts, errors."""
        return [
            event["params"]
            for event in self.events
            if event.get("method") in ("Log.entryAdded", "Runtime.exceptionThrown")
        ]
