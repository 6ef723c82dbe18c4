// LogQL by Grafana's own grammar: reads a JSON list of queries, writes for each {errors, matchers, filters, ranges, metric}.
//
//   echo '["{service=\"holdfast\"} |= `x`"]' | node logql.mjs
import { parser } from "@grafana/lezer-logql";
import { readFileSync } from "node:fs";

const queries = JSON.parse(readFileSync(0, "utf8"));

function look(query) {
  const found = { errors: [], matchers: [], ranges: [], metric: false };
  let selector = 0;
  parser.parse(query).iterate({
    enter(node) {
      const text = query.slice(node.from, node.to);
      if (node.type.isError) found.errors.push(`unexpected ${JSON.stringify(query.slice(node.from, node.from + 12))} at ${node.from}`);
      if (node.name === "Selector") selector++;
      if (node.name === "Matcher" && selector > 0) found.matchers.push(text);
      if (node.name === "Range") found.ranges.push(text);
      if (node.name === "MetricExpr") found.metric = true;
    },
    leave(node) {
      if (node.name === "Selector") selector--;
    },
  });
  return found;
}

console.log(JSON.stringify(queries.map(look)));
