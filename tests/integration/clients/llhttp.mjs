// What llhttp, the parser of Node.js, makes of bytes: the same input and output as http_verdict.c.
// It is taken from the package undici, which carries it as WebAssembly; argument: a folder whose
// node_modules has it.
import fs from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'

const require = createRequire(path.join(process.argv[2], 'package.json'))
const wasm = require('undici/lib/llhttp/llhttp-wasm.js')
const REQUEST = 1, OK = 0, CLOSED = 5, PAUSED = 21, PAUSED_UPGRADE = 22

let body = 0
let keep = true
const { instance } = await WebAssembly.instantiate(
  typeof wasm === 'string' ? Buffer.from(wasm, 'base64') : wasm,
  {
    env: {
      wasm_on_url: () => 0,
      wasm_on_status: () => 0,
      wasm_on_message_begin: () => { body = 0; return 0 },
      wasm_on_header_field: () => 0,
      wasm_on_header_value: () => 0,
      wasm_on_headers_complete: (_parser, _status, _upgrade, keepAlive) => {
        keep = keepAlive
        return 0
      },
      wasm_on_body: (_parser, _at, length) => { body += length; return 0 },
      wasm_on_message_complete: () => PAUSED, // so that its end is known
    },
  })
const llhttp = instance.exports

function text(at) {
  const bytes = new Uint8Array(llhttp.memory.buffer, at)
  return Buffer.from(bytes.subarray(0, bytes.indexOf(0))).toString('latin1')
}

// The bytes come in pieces, or, where `cuts` is 0, at once; the pieces are others than ours.
function judge(input, cuts) {
  const random = () => {
    cuts = (Math.imul(cuts, 1664525) + 1013904223) >>> 0
    return cuts >>> 16
  }
  const parser = llhttp.llhttp_alloc(REQUEST)
  const start = llhttp.malloc(input.length + 1)
  const ends = []
  let at = 0, have = 0, last = 'more', why = ''
  new Uint8Array(llhttp.memory.buffer, start, input.length).set(input)
  while (at < input.length) {
    if (at === have)
      have = cuts === 0 ? input.length : Math.min(input.length, have + 1 + random() % 24)
    const error = llhttp.llhttp_execute(parser, start + at, have - at)
    if (error === OK) {
      at = have
      continue
    }
    at = llhttp.llhttp_get_error_pos(parser) - start
    if (error === PAUSED) {
      ends.push([at, body])
      llhttp.llhttp_resume(parser)
      if (!keep) { last = 'closed'; break }
      continue
    }
    last = error === PAUSED_UPGRADE ? 'upgraded' : error === CLOSED ? 'closed' : 'refused'
    const reason = text(llhttp.llhttp_get_error_reason(parser))
    why = `${text(llhttp.llhttp_errno_name(error))}: ${reason}`
    break
  }
  llhttp.free(start)
  llhttp.llhttp_free(parser)
  return { ends, last, why }
}

const all = fs.readFileSync(0)
const out = []
for (let at = 0; at < all.length;) {
  const length = all.readUInt32BE(at)
  const cuts = all.readUInt32BE(at + 4)
  out.push(JSON.stringify(judge(all.subarray(at + 8, at + 8 + length), cuts)))
  at += 8 + length
}
process.stdout.write(out.join('\n') + '\n')
