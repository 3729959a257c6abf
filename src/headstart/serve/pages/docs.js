// The routes of openapi.json, as a list.
"use strict";

const at = (id) => document.getElementById(id);

function element(name, text, parent, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  if (parent) parent.append(made);
  return made;
}

function block(title, value, parent) {
  element("h3", title, parent);
  const code = element("pre", JSON.stringify(value, null, 2), parent);
  code.tabIndex = 0;
  code.setAttribute("aria-label", title);
}

function show(api) {
  const routes = at("routes");
  routes.replaceChildren();
  for (const [path, methods] of Object.entries(api.paths)) {
    for (const [method, route] of Object.entries(methods)) {
      const section = element("section", undefined, routes);
      element("h2", `${method.toUpperCase()} ${path}`, section, "path");
      element("p", route.summary, section);
      if (route.requestBody) {
        element("p", route.requestBody.description, section);
        for (const [kind, content] of Object.entries(route.requestBody.content)) {
          if (content.example) block(`Example (${kind})`, content.example, section);
          else element("p", kind, section, "path");
        }
      }
      const details = element("details", undefined, section);
      element("summary", "Responses", details);
      const list = element("dl", undefined, details);
      for (const [status, response] of Object.entries(route.responses || {})) {
        element("dt", status, list);
        element("dd", response.description, list);
      }
      const good = route.responses && route.responses["200"];
      const schema = good && good.content && good.content["application/json"] && good.content["application/json"].schema;
      if (schema && Object.keys(schema).length) block("Schema of the answer", schema, details);
    }
  }
}

async function load() {
  const headers = at("token").value ? { Authorization: `Bearer ${at("token").value}` } : {};
  const response = await fetch("openapi.json", { headers });
  at("token-form").hidden = response.status !== 401;
  const answer = await response.json();
  if (response.ok) show(answer);
  else at("token-error").textContent = at("token").value ? answer.error : "";
}

at("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  load();
});
load();
