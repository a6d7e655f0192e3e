// Shows /openapi.json, and sends its requests. It makes elements and texts, never
// HTML, so that nothing in a document or an answer is taken for a page.
"use strict";

const METHODS = ["get", "post", "put", "patch", "delete"];
// What a script may not set: the browser sends the cookies that it has.
const KEPT_BY_THE_BROWSER = new Set(["cookie"]);

let api;

/** An element with attributes and children; texts are children too. */
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== undefined));
  return made;
}

/** What a reference stands for. */
function resolve(value) {
  if (!value?.$ref) return value ?? {};
  return value.$ref.slice(2).split("/").reduce((place, key) => place[key], api);
}

/** Paragraphs, lists and `code`: all that the descriptions use. */
function prose(text) {
  const words = (line) =>
    line.split(/`([^`]*)`/).map((part, index) => (index % 2 ? element("code", {}, part) : part));
  return (text ?? "").trim().split(/\n\n+/).filter(Boolean).map((block) =>
    block.startsWith("- ")
      ? element("ul", {}, block.split(/\n?^- /m).filter(Boolean).map((item) => element("li", {}, words(item))))
      : element("p", {}, words(block)));
}

/** A schema in a few words. */
function kind(schema) {
  schema = resolve(schema);
  if (schema.enum) return schema.enum.join(" | ");
  const types = [schema.type ?? (schema.properties ? "object" : "anything")].flat();
  const names = types.map((type) => (type === "array" ? `list of ${kind(schema.items)}` : type));
  const bounds = [
    schema.format && !/^u?int/.test(schema.format) ? schema.format : undefined,
    range(schema.minimum, schema.maximum, ""),
    range(schema.minLength, schema.maxLength, " characters"),
    range(schema.minItems, schema.maxItems, " items"),
  ];
  return [names.join(" or "), ...bounds.filter(Boolean)].join(", ");
}

function range(least, most, unit) {
  if (most !== undefined) return `${least ? `${least} to ` : "up to "}${most}${unit}`;
  return least > 0 ? `at least ${least}${unit}` : undefined;
}

/** The fields of an object, and of what is in it. */
function fields(schema) {
  schema = resolve(schema);
  if (schema.type === "array") return fields(schema.items);
  if (!schema.properties) return undefined;
  const required = schema.required ?? [];
  return element("dl", {}, Object.entries(schema.properties).flatMap(([name, property]) => {
    const resolved = resolve(property);
    return described(name, kind(property), required.includes(name), resolved.description, fields(property));
  }));
}

function described(name, type, required, description, more) {
  const soft = `${type}${required ? "" : ", optional"}`;
  return [
    element("dt", {}, element("code", {}, name), " ", element("span", { class: "soft" }, soft)),
    element("dd", {}, prose(description), more),
  ];
}

/** The examples of a body, with their names. */
function examples(content) {
  const named = Object.entries(content?.examples ?? {})
    .map(([name, example]) => [example.summary ?? name, example.value]);
  return content?.example === undefined ? named : [["example", content.example], ...named];
}

function shownExamples(content) {
  const shown = examples(content);
  return shown.flatMap(([name, value]) =>
    [shown.length > 1 ? element("p", { class: "soft" }, name) : undefined, code(pretty(value))]);
}

const pretty = (value) => JSON.stringify(value, null, 2);
const code = (text) => element("pre", {}, element("code", {}, text));

function parametersOf(operation) {
  return (operation.parameters ?? []).map(resolve);
}

function answer(status, response) {
  response = resolve(response);
  const headers = Object.entries(response.headers ?? {}).map(([name, header]) => [name, resolve(header)]);
  const [mediaType, content] = Object.entries(response.content ?? {})[0] ?? [];
  return element("details", {},
    element("summary", {}, element("strong", { class: status < 400 ? "good" : "bad" }, status), " ",
      element("span", { class: "soft" }, summaryOf(response))),
    prose(response.description).filter((part) => part.textContent !== summaryOf(response)),
    content && element("p", { class: "soft" }, mediaType),
    content && fields(content.schema),
    shownExamples(content),
    element("h4", {}, "Headers"),
    element("dl", {}, headers.flatMap(([name, header]) =>
      described(name, kind(header.schema), header.required, header.description))));
}

/** The reasons of an error, or the first sentence. */
function summaryOf(response) {
  const reasons = resolve(response.headers?.["Error-Code"]).schema?.enum;
  return reasons ? reasons.join(", ") : (response.description ?? "").split("\n")[0];
}

/** The form that sends the request. */
function tryIt(method, path, operation, token) {
  const inputs = parametersOf(operation).filter(({ in: place }) => !KEPT_BY_THE_BROWSER.has(place)).map((parameter) => ({
    ...parameter,
    input: element("input", { id: `${operation.operationId}-${parameter.name}`, required: parameter.required === true, autocomplete: "off", spellcheck: "false" }),
  }));
  const content = resolve(operation.requestBody).content?.["application/json"];
  const choices = examples(content);
  if (content && !choices.length) choices.push(["example", sample(content.schema)]);
  const body = content && element("textarea", { id: `${operation.operationId}-body`, spellcheck: "false" });
  if (body) body.value = pretty(choices[0][1]);
  const choice = choices.length > 1 &&
    element("select", { id: `${operation.operationId}-example`, "aria-label": "Example" }, choices.map(([name], index) => element("option", { value: index }, name)));
  if (choice) choice.addEventListener("change", () => { body.value = pretty(choices[choice.value][1]); });
  const send = element("button", {}, "Send");
  const outcome = element("div", { role: "status" });
  const form = element("form", {},
    inputs.map(({ name, in: place, input }) => [element("label", { for: input.id }, `${name} (${place})`), input]).flat(),
    body && element("label", { for: body.id }, "Body"), choice || undefined, body, send, outcome);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    send.disabled = true;
    outcome.replaceChildren(element("p", { class: "soft" }, "Waiting for the answer"));
    const request = requestOf(method, path, operation, inputs, body, token);
    outcome.replaceChildren(...await outcomeOf(request, token));
    send.disabled = false;
  });
  return element("details", {}, element("summary", {}, "Try it"), form);
}

function requestOf(method, path, operation, inputs, body, token) {
  const headers = {};
  const query = new URLSearchParams();
  for (const { name, in: place, input } of inputs) {
    if (place === "path") path = path.replace(`{${name}}`, encodeURIComponent(input.value));
    if (input.value === "") continue;
    if (place === "query") query.set(name, input.value);
    if (place === "header") headers[name] = input.value;
  }
  if (operation.security && token.value.trim()) headers.Authorization = `Bearer ${token.value.trim()}`;
  if (body) headers["Content-Type"] = "application/json";
  const target = query.size ? `${path}?${query}` : path;
  return [target, { method: method.toUpperCase(), headers, body: body?.value, cache: "no-store" }];
}

async function outcomeOf([target, request], token) {
  const began = performance.now();
  try {
    const response = await fetch(target, request);
    const text = await response.text();
    const value = parsed(text);
    // A sign-in counts from then on.
    if (typeof value?.access_token === "string") token.value = value.access_token;
    const took = Math.round(performance.now() - began);
    const headers = [...response.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
    const status = element("strong", { class: response.ok ? "good" : "bad" }, `${response.status} ${response.statusText}`);
    return [
      element("p", {}, status, ` in ${took} ms`),
      text && code(value === undefined ? text : pretty(value)),
      element("details", {}, element("summary", {}, "Headers of the answer"), code(headers)),
    ].filter(Boolean);
  } catch (error) {
    return [element("p", { class: "bad" }, `The request could not be sent: ${error.message}`)];
  }
}

/** What a text is as JSON, if it is. */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A body made of the examples of its fields. */
function sample(schema) {
  const { properties = {}, required = [] } = resolve(schema);
  return Object.fromEntries(required.map((name) => [name, resolve(properties[name]).example ?? ""]));
}

function section(method, path, operation, token) {
  const parameters = parametersOf(operation);
  const content = resolve(operation.requestBody).content?.["application/json"];
  return element("article", { id: operation.operationId, class: "sheet" },
    element("h3", {}, operation.summary),
    element("p", { class: "line" }, element("span", { class: "method" }, method.toUpperCase()), element("code", {}, path),
      operation.security && element("span", { class: "soft" }, "with an access token")),
    prose(operation.description),
    element("h4", {}, "Parameters"),
    element("dl", {}, parameters.flatMap(({ name, in: place, required, schema, description }) =>
      described(name, `${place}, ${kind(schema)}`, required, description))),
    content && element("h4", {}, "Body"), content && fields(content.schema),
    shownExamples(content),
    element("h4", {}, "Answers"),
    Object.entries(operation.responses).map(([status, response]) => answer(status, response)),
    tryIt(method, path, operation, token));
}

function page() {
  const operations = Object.entries(api.paths).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method]).map((method) => ({ method, path, operation: item[method] })));
  const token = element("input", { id: "token", autocomplete: "off", spellcheck: "false", placeholder: "eyJ…" });
  const scheme = Object.values(api.components?.securitySchemes ?? {})[0];
  const main = document.querySelector("main");
  const nav = document.querySelector("nav");
  main.replaceChildren(
    ...prose(api.info.description),
    element("div", { class: "sheet" }, element("label", { for: "token" }, "Authorization: Bearer"), token,
      element("div", { class: "soft" }, prose(`${scheme?.description ?? ""} It stays on this page, and a sign-in here fills it in.`))));
  for (const tag of api.tags) {
    const own = operations.filter(({ operation }) => operation.tags?.includes(tag.name));
    main.append(element("h2", {}, tag.name), ...prose(tag.description),
      ...own.map(({ method, path, operation }) => section(method, path, operation, token)));
    nav.append(element("p", {}, tag.name), element("ul", {}, own.map(({ operation }) =>
      element("li", {}, element("a", { href: `#${operation.operationId}` }, operation.summary)))));
  }
  document.title = document.querySelector("h1").textContent = `${api.info.title} ${api.info.version}: API reference`;
  main.removeAttribute("aria-busy");
  if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
}

fetch("/openapi.json").then((response) => response.json()).then((described) => {
  api = described;
  page();
}).catch((error) => {
  document.querySelector("main").replaceChildren(
    element("p", { class: "bad" }, `openapi.json could not be read: ${error.message}`));
});
