"use strict";

// Rows beyond this are counted, not shown: the page is for a look, not for export.
const rowsMax = 1000;

const byId = (id) => document.getElementById(id);

function element(tag, text, className) {
  const node = document.createElement(tag);
  node.textContent = text;
  if (className) node.className = className;
  return node;
}

function seriesText(metric) {
  const { __name__: name = "", ...labels } = metric;
  const pairs = Object.entries(labels).map(([k, v]) => `${k}=${JSON.stringify(v)}`);
  return pairs.length || !name ? `${name}{${pairs.join(", ")}}` : name;
}

function timeText(seconds) {
  return new Date(seconds * 1000).toISOString();
}

// Every result becomes rows of [series, time, value].
function rowsOf({ resultType, result }) {
  if (resultType === "scalar" || resultType === "string") return [["", ...result]];
  return result.flatMap(({ metric, value, values }) =>
    (values || [value]).map(([time, text]) => [seriesText(metric), time, text]));
}

function show(rows) {
  const table = byId("result");
  table.replaceChildren();
  if (rows.length === 0) return;
  const head = element("tr", "");
  head.append(element("th", "series"), element("th", "time"), element("th", "value", "value"));
  table.append(head);
  for (const [series, time, value] of rows.slice(0, rowsMax)) {
    const row = element("tr", "");
    row.append(element("td", series), element("td", timeText(time)), element("td", value, "value"));
    table.append(row);
  }
}

function say(text, isError) {
  const status = byId("status");
  status.textContent = text;
  status.className = isError ? "error" : "";
}

async function run(query) {
  say("…", false);
  const begun = performance.now();
  try {
    const response = await fetch("/api/v1/query", {
      method: "POST",
      body: new URLSearchParams({ query }),
    });
    if (!(response.headers.get("Content-Type") || "").startsWith("application/json")) {
      throw new Error(`${response.status} ${await response.text()}`);
    }
    const answer = await response.json();
    if (answer.status !== "success") throw new Error(`${answer.errorType}: ${answer.error}`);
    const rows = rowsOf(answer.data);
    show(rows);
    const notes = [...(answer.warnings || []), ...(answer.infos || [])];
    const ms = Math.round(performance.now() - begun);
    const hidden = rows.length > rowsMax ? `, the first ${rowsMax} shown` : "";
    say([`${rows.length} ${rows.length === 1 ? "row" : "rows"} in ${ms} ms${hidden}`, ...notes].join("; "), false);
  } catch (error) {
    show([]);
    say(error.message, true);
  }
}

byId("form").addEventListener("submit", (event) => {
  event.preventDefault();
  const query = byId("query").value;
  history.replaceState(null, "", `?query=${encodeURIComponent(query)}`);
  run(query);
});

byId("remote-write").textContent =
  `remote_write:\n  - url: ${location.origin}/api/v1/write\n`;

fetch("/version").then((response) => response.json()).then((build) => {
  byId("version").textContent = build.version;
});

const asked = new URLSearchParams(location.search).get("query");
if (asked !== null) byId("query").value = asked;
run(byId("query").value);
