// A carrier for tests, over the `smpp` package.
//
// usage: node server.js '{"port": 2775, "system_id": "…", "password": "…"}'
//
// With "key" and "cert", paths of PEM files, it speaks TLS. It writes what happens to standard
// output, one JSON object a line, and ends with its standard input. Each line there is a JSON
// object; what it has of these counts from then on, what "state" has of them from the start:
//
//   answer     what becomes of a submit_sm: "accept", "status", "late", "never" or "cut" (taken,
//              and the connection closed before it is answered)
//   after      how many are accepted before that
//   times      to how many it happens; then "accept" again. Without it, to all
//   status     the status of the answers "status" and "late", where it is not 0
//   delay_ms   how late "late" is
//   receipts   null for none, or {"stat", "delay_ms", "form": "text" or "tlv", "ids": "hex"}
//   binds      whether connections are let in
//   enquiries  whether enquire_link is answered
//   per_second how many submit_sm are accepted in a second; the rest are answered 0x58
//   deliver    a deliver_sm to send, as the package describes it
//   drop       true: closes each connection
//   unbind     true: ends each session properly

"use strict";

const fs = require("node:fs");
const readline = require("node:readline");
const smpp = require("smpp");

const options = JSON.parse(process.argv[2] ?? "{}");
const state = {
  answer: "accept",
  receipts: null,
  binds: true,
  enquiries: true,
  ...options.state,
};
const sessions = new Set();
const pieces = new Map();
let ids = options.first_id ?? 1000;
let unanswered = 0;
let second = { from: 0, count: 0 };

const say = (event, more = {}) => process.stdout.write(`${JSON.stringify({ event, ...more })}\n`);

function setUp(session) {
  if (!state.binds) {
    session.destroy();
    return;
  }
  sessions.add(session);
  let isOpen = true;
  session.on("close", () => {
    isOpen = false;
    sessions.delete(session);
    say("closed");
  });
  session.on("error", (error) => say("error", { code: error.code ?? String(error) }));
  session.on("bind_transceiver", (pdu) => {
    const isRight = pdu.system_id === options.system_id && pdu.password === options.password;
    say("bind", {
      interface_version: pdu.interface_version,
      system_type: pdu.system_type,
      accepted: isRight,
    });
    session.send(pdu.response({ command_status: isRight ? 0 : smpp.ESME_RINVPASWD }));
  });
  session.on("enquire_link", (pdu) => {
    say("enquire_link");
    if (state.enquiries) session.send(pdu.response());
  });
  session.on("unbind", (pdu) => {
    say("unbind");
    session.send(pdu.response());
    session.close();
  });
  session.on("submit_sm", (pdu) => {
    const answer = nextAnswer();
    const id = answer.status === 0 ? ids++ : null;
    unanswered += 1;
    note(pdu, answer.how, id);
    const respond = () => {
      unanswered -= 1;
      if (!isOpen) return;
      if (answer.status) {
        session.send(pdu.response({ command_status: answer.status }));
        return;
      }
      session.send(pdu.response({ message_id: String(id) }));
      if (state.receipts) sendReceipt(session, pdu, id, state.receipts);
    };
    if (answer.how === "never") return;
    if (answer.how === "cut") {
      unanswered -= 1;
      session.destroy();
    } else if (answer.how === "late") {
      setTimeout(respond, state.delay_ms);
    } else {
      respond();
    }
  });
  say("connected");
}

function nextAnswer() {
  if (state.per_second !== undefined) {
    const now = Date.now();
    if (now - second.from >= 1000) second = { from: now, count: 0 };
    second.count += 1;
    if (second.count > state.per_second) return { how: "status", status: smpp.ESME_RTHROTTLED };
  }
  if (state.after > 0) {
    state.after -= 1;
    return { how: "accept", status: 0 };
  }
  const how = state.answer;
  if (state.times !== undefined) {
    state.times -= 1;
    if (state.times <= 0) {
      state.answer = "accept";
      delete state.times;
    }
  }
  const hasStatus = how === "status" || how === "late";
  return { how, status: hasStatus ? (state.status ?? 0) : 0 };
}

// Writes down a submit_sm, and the whole text where its parts are all there.
function note(pdu, answer, id) {
  const body = pdu.message_payload ?? pdu.short_message;
  const header = (body.udh ?? []).find((element) => element[0] === 0);
  const line = {
    answer,
    id: id === null ? null : String(id),
    from: pdu.source_addr,
    from_type: [pdu.source_addr_ton, pdu.source_addr_npi],
    to: pdu.destination_addr,
    to_type: [pdu.dest_addr_ton, pdu.dest_addr_npi],
    text: body.message,
    data_coding: pdu.data_coding,
    esm_class: pdu.esm_class,
    header: header ? [...header] : null,
    is_payload: pdu.message_payload !== undefined,
    registered_delivery: pdu.registered_delivery,
    validity_seconds: Math.round((pdu.validity_period - Date.now()) / 1000),
    unanswered,
  };
  say("submit", line);
  if (id === null) return;
  if (!header) {
    say("message", { to: line.to, text: line.text });
    return;
  }
  const [, , reference, total, place] = header;
  const key = `${line.to}/${reference}/${total}`;
  const known = pieces.get(key) ?? new Map();
  pieces.set(key, known.set(place, line.text));
  if (known.size === total) {
    const places = [...known.keys()].sort((a, b) => a - b);
    say("message", { to: line.to, text: places.map((at) => known.get(at)).join("") });
    pieces.delete(key);
  }
}

function sendReceipt(session, pdu, id, receipts) {
  const name = receipts.ids === "hex" ? id.toString(16).toUpperCase() : String(id);
  const receipt = {
    source_addr: pdu.destination_addr,
    destination_addr: pdu.source_addr,
    esm_class: 0x04,
    short_message:
      receipts.form === "tlv"
        ? ""
        : `id:${name} sub:001 dlvrd:001 submit date:2601010000 done date:2601010000 ` +
          `stat:${receipts.stat} err:000 text:id:1 stat:REJECTD`,
  };
  if (receipts.form === "tlv") {
    receipt.receipted_message_id = name;
    receipt.message_state = { DELIVRD: 2, EXPIRED: 3, UNDELIV: 5, ENROUTE: 1 }[receipts.stat];
  }
  const send = () => deliver(session, receipt);
  if (receipts.delay_ms) setTimeout(send, receipts.delay_ms);
  else send();
}

function deliver(session, fields) {
  session.deliver_sm(fields, (answer) => say("deliver_answer", { status: answer.command_status }));
}

const tls = options.key
  ? { key: fs.readFileSync(options.key), cert: fs.readFileSync(options.cert) }
  : {};
const server = smpp.createServer(tls, setUp);
server.on("tlsClientError", (error) => say("error", { code: error.code ?? String(error) }));
server.listen(options.port, "127.0.0.1", () => say("listening"));

const lines = readline.createInterface({ input: process.stdin });
lines.on("line", (line) => {
  const { deliver: fields, drop, unbind, ...settings } = JSON.parse(line);
  Object.assign(state, settings);
  for (const session of [...sessions]) {
    if (fields) deliver(session, fields);
    if (unbind) session.unbind();
    if (drop) session.destroy();
  }
  say("done");
});
lines.on("close", () => process.exit(0));
