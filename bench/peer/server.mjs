// The documented requests in one process, as a service of this kind is commonly
// written: Fastify, ioredis, pg, tokens signed by HS256, and no hop. The product is
// measured beside it (`scripts/bench peer`); it is good for nothing else. It has the
// limits and the durability of the product; it has no refresh, no log, no metrics, no
// request ids, and looks at a phone number by a pattern.
//
//   node server.mjs REDIS_URL DATABASE_URL DELAY_MS
import { createHmac, randomBytes, randomInt, randomUUID, timingSafeEqual } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import Fastify from "fastify";
import { Redis } from "ioredis";
import pg from "pg";

const [REDIS_URL, DATABASE_URL, DELAY_MS] = process.argv.slice(2);
const SECRET = randomBytes(32);
const PEPPER = randomBytes(32);
const LIFETIME = 120;
const HOUR = 3600;
const LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const NOT_FOUND =
  "Пользователь не найден, возможно вы ждали дольше 2 минут. Вернитесь на предыдущий шаг.";

const redis = new Redis(REDIS_URL);
const database = new pg.Pool({ connectionString: DATABASE_URL, max: 16 });

// Counts the start, and keeps the challenge under its id and, if the code is free
// there, under the code at its address. Returns whether it is allowed and was free.
redis.defineCommand("start", {
  numberOfKeys: 4,
  lua: `
    for i = 1, 2 do
      local count = redis.call('INCR', KEYS[i])
      if count == 1 then redis.call('EXPIRE', KEYS[i], ARGV[1]) end
      if count > tonumber(ARGV[1 + i]) then return -1 end
    end
    if not redis.call('SET', KEYS[4], ARGV[4], 'NX', 'EX', ARGV[7]) then return 0 end
    redis.call('HSET', KEYS[3], 'code', ARGV[5], 'phone', ARGV[6], 'tries', 0)
    redis.call('EXPIRE', KEYS[3], ARGV[7])
    return 1`,
});
redis.defineCommand("compare", {
  numberOfKeys: 1,
  lua: `
    local known = redis.call('HMGET', KEYS[1], 'code', 'phone', 'tries')
    if not known[1] or tonumber(known[3]) >= 5 then return false end
    if known[1] == ARGV[1] then return known[2] end
    redis.call('HINCRBY', KEYS[1], 'tries', 1)
    return false`,
});

const hash = (...parts) => createHmac("sha256", PEPPER).update(parts.join("\0")).digest("base64url");
const encoded = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
const HEAD = encoded({ alg: "HS256", typ: "JWT" });
const signature = (signed) => createHmac("sha256", SECRET).update(signed).digest();

function token(userId, sessionId, phone) {
  const iat = Math.floor(Date.now() / 1000);
  const claims = { sub: userId, sid: sessionId, phone_number: phone, iat, exp: iat + 600 };
  const signed = `${HEAD}.${encoded(claims)}`;
  return `${signed}.${signature(signed).toString("base64url")}`;
}

function userOf(request) {
  const [scheme, text = ""] = (request.headers.authorization ?? "").split(" ");
  const [head, claims, mac = ""] = text.split(".");
  const given = Buffer.from(mac, "base64url");
  const right = signature(`${head}.${claims}`);
  if (scheme !== "Bearer" || given.length !== right.length || !timingSafeEqual(given, right)) return null;
  const { sub, exp } = JSON.parse(Buffer.from(claims, "base64url"));
  return exp * 1000 > Date.now() ? sub : null;
}

const inviteCode = () => Array.from({ length: 6 }, () => LETTERS[randomInt(62)]).join("");

// Signs the phone's user in, who is made if there is none: one transaction.
async function signIn(phone, challengeId, request) {
  const client = await database.connect();
  try {
    await client.query("BEGIN");
    let { rows } = await client.query({
      name: "find",
      text: "SELECT user_id FROM users WHERE phone_number = $1",
      values: [phone],
    });
    if (rows.length === 0) {
      ({ rows } = await client.query({
        name: "create",
        text: `INSERT INTO users (user_id, phone_number, invite_code, created_at) VALUES ($1, $2, $3, now())
               ON CONFLICT (phone_number) DO UPDATE SET phone_number = EXCLUDED.phone_number RETURNING user_id`,
        values: [randomUUID(), phone, inviteCode()],
      }));
    }
    const userId = rows[0].user_id;
    const sessionId = randomUUID();
    const refresh = randomBytes(32).toString("base64url");
    const values = [sessionId, userId, challengeId, hash("refresh", refresh), request.headers["user-agent"] ?? "", request.ip];
    await client.query({
      name: "session",
      text: `INSERT INTO sessions (session_id, user_id, challenge_id, refresh_token_hash, user_agent, client_address, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, now())`,
      values,
    });
    await client.query("COMMIT");
    return { access_token: token(userId, sessionId, phone), refresh_token: refresh };
  } catch (error) {
    await client.query("ROLLBACK");
    throw error;
  } finally {
    client.release();
  }
}

const app = Fastify();
const PHONE = { type: "object", required: ["phone_number"], properties: { phone_number: { type: "string", pattern: "^\\+[0-9]{7,15}$" } } };
const CODE = { type: "object", required: ["otp"], properties: { otp: { type: "string", maxLength: 64 } } };

app.get("/readyz", async () => {
  await Promise.all([redis.ping(), database.query("SELECT 1")]);
  return { response: "ready" };
});

app.post("/api/v1/auths/", { schema: { body: PHONE } }, async (request, reply) => {
  const phone = request.body.phone_number;
  const id = randomBytes(16).toString("base64url");
  for (let tries = 0; tries < 64; tries += 1) {
    const code = String(randomInt(10_000)).padStart(4, "0");
    const keys = [`phone:${hash(phone)}`, `address:${hash(request.ip)}`, `challenge:${id}`, `code:${hash(request.ip, code)}`];
    const started = await redis.start(...keys, HOUR, 1_000, 100_000, id, hash(id, code), phone, LIFETIME);
    if (started === 1) {
      if (Number(DELAY_MS) > 0) await sleep(Number(DELAY_MS));
      reply.header("Challenge-Id", id).header("Otp-Length", 4).header("Otp-Expires-In", LIFETIME);
      reply.header("Set-Cookie", `challenge=${id}; Path=/api/v1/auths; Max-Age=${LIFETIME}; HttpOnly; SameSite=Strict`);
      return { response: `We will sent code to you in sms.(use ${code}), you have 2 minutes to confirm your number!` };
    }
    if (started < 0) break;
  }
  return reply.code(429).send({ response: "too many codes" });
});

app.patch("/api/v1/auths/", { schema: { body: CODE } }, async (request, reply) => {
  const code = request.body.otp;
  const atAddress = `code:${hash(request.ip, code)}`;
  const id = request.headers["challenge-id"] ?? (await redis.get(atAddress));
  const phone = id && (await redis.compare(`challenge:${id}`, hash(id, code)));
  if (!phone) return reply.code(400).send({ response: NOT_FOUND });
  const pair = await signIn(phone, id, request);
  await redis.del(`challenge:${id}`, atAddress);
  return pair;
});

app.get("/api/v1/personal-area/", async (request, reply) => {
  const userId = userOf(request);
  if (!userId) return reply.code(401).send({ response: "the access token is not valid" });
  const [own, followers] = await Promise.all([
    database.query({
      name: "profile",
      text: "SELECT phone_number, invite_code, invited_by FROM users WHERE user_id = $1",
      values: [userId],
    }),
    database.query({
      name: "followers",
      text: "SELECT phone_number FROM users WHERE inviter_id = $1 ORDER BY invited_at, user_id LIMIT 1000",
      values: [userId],
    }),
  ]);
  return { ...own.rows[0], followers: followers.rows.map((row) => row.phone_number) };
});

await app.listen({ host: "127.0.0.1", port: 0, backlog: 16_384 });
console.log(`listens on http://127.0.0.1:${app.server.address().port}`);
