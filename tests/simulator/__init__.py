"""Stand in for WhatsApp Web: its page, its server and its phones, on loopback.

The core is pure (time and randomness are arguments):

* `knobs`      what can be set from outside
* `journal`    the numbered event log
* `linking`    refs, their rotation, the QR code's text, pairing codes
* `handshake`  per-device keys and the login challenge
* `ratchet`    the counter that shows a rolled-back profile
* `frames`     what the page says, parsed once
* `world`      phones, devices, connections
* `page_side`  what the server does when the page speaks
* `phone_side` what it does when a phone or a test acts
* `view`       the state as JSON

Around it: `tls`, `server` (page and WebSocket), `admin` (the HTTP API), `client` (its typed client), `testing`.
"""
