// Draws the API reference from openapi.json. Text is set as text, never as HTML.
"use strict";

/** Answers that many routes share, by name. */
let shared = {};

const METHODS = ["get", "post", "put", "patch", "delete"];

function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes ?? {})) made.setAttribute(key, value);
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

/** Sets `code` in a sentence apart. */
function prose(text) {
  const parts = (text ?? "").split("`");
  return parts.map((part, i) => (i % 2 ? element("code", {}, part) : part));
}

function paragraphs(text) {
  return (text ?? "").split(/\n\n+/).filter(Boolean).map((part) => element("p", {}, prose(part)));
}

const schemaName = (ref) => ref.split("/").pop();
const link = (name) => element("a", { href: `#schema-${name}` }, name);

/** A schema's type in a few words, with links to named ones. */
function typeOf(schema) {
  if (!schema) return ["any"];
  if (schema.$ref) return [link(schemaName(schema.$ref))];
  const choices = schema.oneOf ?? schema.anyOf;
  if (choices) return choices.flatMap((choice, i) => [i ? " or " : "", ...typeOf(choice)]);
  if (schema.enum) return [schema.enum.map((value) => JSON.stringify(value)).join(", ")];
  const kinds = [schema.type ?? "any"].flat();
  if (kinds.includes("array")) return ["list of ", ...typeOf(schema.items)];
  if (schema.additionalProperties && schema.additionalProperties !== true) {
    return ["map to ", ...typeOf(schema.additionalProperties)];
  }
  const text = [kinds.join(" or ")];
  if (schema.format) text.push(` (${schema.format})`);
  if (schema.minimum !== undefined || schema.maximum !== undefined) {
    text.push(` ${schema.minimum ?? "…"} to ${schema.maximum ?? "…"}`);
  }
  return text;
}

function table(heads, rows) {
  return element("table", {},
    element("thead", {}, element("tr", {}, heads.map((head) => element("th", { scope: "col" }, head)))),
    element("tbody", {}, rows.map((row) => element("tr", {}, row.map((cell) => element("td", {}, ...[cell].flat()))))));
}

function properties(schema) {
  const required = new Set(schema.required ?? []);
  const rows = Object.entries(schema.properties ?? {}).map(([name, property]) => [
    [element("code", {}, name), required.has(name) ? "" : " (optional)"], typeOf(property), prose(property.description),
  ]);
  return rows.length ? table(["Field", "Type", "Meaning"], rows) : element("p", {}, ...typeOf(schema));
}

function examples(media) {
  return Object.entries(media.examples ?? {}).map(([name, example]) => [
    element("p", {}, example.summary ?? name), element("pre", {}, JSON.stringify(example.value, null, 2)),
  ]).flat();
}

function bodyOf(operation) {
  const media = operation.requestBody?.content?.["application/json"];
  return media ? [element("h4", {}, "Body: ", ...typeOf(media.schema)), ...examples(media)] : [];
}

function parametersOf(operation) {
  const rows = (operation.parameters ?? []).map((p) => [
    element("code", {}, p.name), p.in, typeOf(p.schema), prose(p.description),
  ]);
  return rows.length ? [element("h4", {}, "Parameters"), table(["Name", "In", "Type", "Meaning"], rows)] : [];
}

function responsesOf(operation) {
  const rows = Object.entries(operation.responses).map(([status, given]) => {
    const response = given.$ref ? shared[schemaName(given.$ref)] : given;
    const media = Object.values(response.content ?? {})[0];
    return [status, media ? typeOf(media.schema) : "nothing", prose(response.description)];
  });
  return [element("details", {}, element("summary", {}, "Answers"), table(["Status", "Body", "Meaning"], rows))];
}

function needs(operation) {
  const scopes = (operation.security ?? []).flatMap((entry) => Object.values(entry).flat());
  return element("p", { class: "needs" }, scopes.length ? `Needs ${scopes.join(", ")}` : "Needs no token");
}

function drawOperation(path, method, operation) {
  return element("article", { id: operation.operationId },
    element("h3", {}, element("span", { class: `method ${method}` }, method.toUpperCase()), element("code", {}, path)),
    ...paragraphs(operation.summary), ...paragraphs(operation.description), needs(operation),
    ...parametersOf(operation), ...bodyOf(operation), ...responsesOf(operation));
}

function drawSchema(name, schema) {
  return element("article", { id: `schema-${name}` },
    element("h3", {}, element("code", {}, name)), ...paragraphs(schema.description), properties(schema));
}

function draw(api) {
  shared = api.components.responses ?? {};
  const contents = document.getElementById("contents");
  const reference = document.getElementById("reference");
  reference.replaceChildren(
    element("h1", {}, `${api.info.title} ${api.info.version}`), ...paragraphs(api.info.description),
    element("p", {}, "Base: ", element("code", {}, api.servers[0].url), " · ", element("a", { href: "openapi.json" }, "openapi.json")));
  const operations = Object.entries(api.paths).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method]).map((method) => ({ path, method, operation: item[method] })));
  for (const tag of api.tags) {
    const own = operations.filter(({ operation }) => operation.tags?.includes(tag.name));
    contents.append(element("h2", {}, tag.name), ...own.map(({ path, method, operation }) =>
      element("a", { href: `#${operation.operationId}` }, `${method.toUpperCase()} ${path}`)));
    reference.append(element("section", {}, element("h2", {}, tag.name), ...paragraphs(tag.description),
      ...own.map(({ path, method, operation }) => drawOperation(path, method, operation))));
  }
  contents.append(element("h2", {}, "Schemas"), ...Object.keys(api.components.schemas).map(
    (name) => element("a", { href: `#schema-${name}` }, name)));
  reference.append(element("section", {}, element("h2", {}, "Schemas"),
    ...Object.entries(api.components.schemas).map(([name, schema]) => drawSchema(name, schema))));
  showTarget();
}

/** The `type` of a problem is docs#problem-CODE: what it says is in its own detail, its form in the schema. */
function showTarget() {
  const wanted = decodeURIComponent(location.hash.slice(1));
  const target = document.getElementById(wanted.startsWith("problem-") ? "schema-Problem" : wanted);
  target?.scrollIntoView();
}

addEventListener("hashchange", showTarget);
fetch("openapi.json")
  .then((answer) => (answer.ok ? answer.json() : Promise.reject(new Error(`the daemon answered ${answer.status}`))))
  .then(draw)
  .catch((error) => document.getElementById("reference").replaceChildren(
    element("p", {}, `The reference could not be drawn: ${error.message}.`)));
