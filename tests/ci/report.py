"""Opens pages in headless Chromium through its debugging pipe, as a telephone and as a desk would, in the light and in the dark, and looks at what is
painted. usage: report.py OUT-FOLDER PAGE... -- TAP; screenshots stay in OUT-FOLDER.
"""
import base64
import collections
import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import zlib

VIEWS = [("phone", 360, 780, True), ("desk", 1280, 900, False)]


class Chromium:
    def __init__(self, profile):
        ours_in, theirs_out = os.pipe()
        theirs_in, ours_out = os.pipe()

        def wire():  # the browser reads from 3 and writes to 4
            a, b = os.dup(theirs_in), os.dup(theirs_out)
            os.dup2(a, 3)
            os.dup2(b, 4)

        self.process = subprocess.Popen(
            ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-pipe",
             f"--user-data-dir={profile}", "about:blank"], preexec_fn=wire, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(theirs_in)
        os.close(theirs_out)
        self.read, self.write, self.rest, self.number, self.session = ours_in, ours_out, b"", 0, None
        self.events = []

    def message(self):
        while b"\0" not in self.rest:
            more = os.read(self.read, 1 << 20)
            if not more:
                raise RuntimeError("chromium went away")
            self.rest += more
        one, self.rest = self.rest.split(b"\0", 1)
        return json.loads(one)

    def call(self, method, **params):
        self.number += 1
        ask = {"id": self.number, "method": method, "params": params}
        if self.session:
            ask["sessionId"] = self.session
        os.write(self.write, json.dumps(ask).encode() + b"\0")
        while True:
            m = self.message()
            if m.get("id") == self.number:
                if "error" in m:
                    raise RuntimeError(f"{method}: {m['error']}")
                return m["result"]
            self.events.append(m)

    def until(self, event):
        while not any(e.get("method") == event for e in self.events):
            self.events.append(self.message())

    def close(self):
        self.session = None
        try:
            self.call("Browser.close")
        except (RuntimeError, OSError):
            pass
        self.process.wait(timeout=30)


def pixels(png):
    """Rows of a PNG of 8-bit RGB or RGBA, as tuples."""
    at, data = 8, b""
    while at < len(png):
        n, kind = struct.unpack(">I4s", png[at:at + 8])
        if kind == b"IHDR":
            width, height, depth, colour = struct.unpack(">IIBB", png[at + 8:at + 18])
        if kind == b"IDAT":
            data += png[at + 8:at + 8 + n]
        at += n + 12
    size, raw = {2: 3, 6: 4}[colour], zlib.decompress(data)
    assert depth == 8
    stride, before, rows = width * size, bytearray(width * size), []
    for y in range(height):
        how, row = raw[y * (stride + 1)], bytearray(raw[y * (stride + 1) + 1:(y + 1) * (stride + 1)])
        for x in range(stride) if how else ():
            a = row[x - size] if x >= size else 0
            b, c = before[x], before[x - size] if x >= size else 0
            if how == 4:
                p = a + b - c
                pick = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
            row[x] = (row[x] + (0, a, b, (a + b) // 2, 0)[how] + (pick if how == 4 else 0)) & 255
        rows.append([tuple(row[x:x + 3]) for x in range(0, stride, size)])
        before = row
    return rows


LOOK = """(() => { const e = document.documentElement, out = [];
for (const x of document.querySelectorAll('body *')) { const r = x.getBoundingClientRect();
  if (r.width && r.right > innerWidth + 1 && !x.closest('.wide')) out.push(x.tagName + ' ' + (x.textContent || '').slice(0, 40)); }
return JSON.stringify({scroll: e.scrollWidth, client: e.clientWidth, height: e.scrollHeight, out: out.slice(0, 5), inner: innerWidth, text: document.body.innerText.length,
 rects: document.querySelectorAll('svg rect').length, scripts: document.scripts.length, alive: window.alive === undefined,
 small: [...document.querySelectorAll('body *')].filter(x => x.childNodes.length && [...x.childNodes].some(n => n.nodeType == 3 && n.data.trim()) &&
   parseFloat(getComputedStyle(x).fontSize) < 11 && !x.closest('title')).length}) })()"""

number = failed = 0


def ok(good, label, why=""):
    global number, failed
    number += 1
    failed += not good
    print(f"{'ok' if good else 'not ok'} {number} - {label}", flush=True)
    if not good:
        print(f"# {why}", flush=True)


def look(browser, out, page, view, scheme):
    name, width, height, mobile = view
    label = f"{pathlib.Path(page).stem}, {name}, {scheme}"
    browser.events.clear()
    browser.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)
    browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    browser.call("Page.navigate", url=pathlib.Path(page).resolve().as_uri())
    browser.until("Page.loadEventFired")
    seen = json.loads(browser.call("Runtime.evaluate", expression=LOOK)["result"]["value"])
    shot = base64.b64decode(browser.call("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip={
        "x": 0, "y": 0, "width": width, "height": min(seen["height"], 1200), "scale": 1})["data"])
    (out / f"{pathlib.Path(page).stem}-{name}-{scheme}.png").write_bytes(shot)
    asked = [e["params"]["request"]["url"] for e in browser.events if e.get("method") == "Network.requestWillBeSent"]
    ok(len(asked) == 1 and asked[0].startswith("file:"), f"{label}: nothing is loaded but the page", asked)
    ok(seen["scroll"] <= seen["client"] and not seen["out"] and seen["inner"] == width, f"{label}: no wider than the window", seen)
    ok(seen["text"] > 300 and seen["rects"] > 5 and not seen["scripts"] and seen["alive"] and not seen["small"],
       f"{label}: words, plots, no script, no tiny letters", seen)
    counts = collections.Counter(p for row in pixels(shot) for p in row)
    ground, n = counts.most_common(1)[0]
    share, dark = n / sum(counts.values()), sum(ground) < 200
    ok(share < 0.97 and len(counts) > 50 and dark == (scheme == "dark"), f"{label}: painted", f"{ground} is {share:.0%}, {len(counts)} colours")


def main():
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as profile:
        browser = Chromium(profile)
        try:
            target = browser.call("Target.createTarget", url="about:blank")["targetId"]
            browser.session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            browser.call("Page.enable")
            browser.call("Network.enable")
            for page in sys.argv[2:]:
                for view in VIEWS:
                    for scheme in ("light", "dark"):
                        look(browser, out, page, view, scheme)
        finally:
            browser.close()
    print(f"1..{number}")
    return failed > 0


sys.exit(main())
