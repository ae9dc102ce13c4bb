// Gives the renderer the description of the server that the page is from, tidied up for people.
"use strict";

// What most come for. Paths are told in alphabetical order otherwise.
const FIRST = "/api/v2/public/migrate-token";

// The renderer makes examples up out of patterns: noise. It does not where there is an example, which also says more than a pattern
// of escapes.
function withoutNoise(schema, hasExample = false) {
  if (schema === null || typeof schema !== "object") {
    return;
  }
  hasExample ||= Boolean(schema.examples ?? schema.example ?? schema.default);
  if (typeof schema.pattern === "string" && (!hasExample || /[\\~]/.test(schema.pattern))) {
    delete schema.pattern;
  }
  for (const [name, part] of Object.entries(schema)) {
    // The kinds of one value are described by its example.
    const isKind = ["anyOf", "oneOf", "allOf"].includes(name) || Array.isArray(schema);
    withoutNoise(part, isKind && hasExample);
  }
}

function tidied(description) {
  const { [FIRST]: first, ...others } = description.paths;
  description.paths = { ...(first && { [FIRST]: first }), ...others };
  for (const item of Object.values(description.paths)) {
    for (const operation of Object.values(item)) {
      if (operation.requestBody?.content) {
        // The first one is what is shown: one that there is an example of.
        const content = Object.entries(operation.requestBody.content);
        content.sort(([, one], [, other]) => Boolean(other.examples) - Boolean(one.examples));
        operation.requestBody.content = Object.fromEntries(content);
      }
      for (const parameter of operation.parameters ?? []) {
        // Each example of the operation has a value for it, most of them the same: one is enough to see its form.
        const [example] = Object.values(parameter.examples ?? {});
        if (example) {
          delete parameter.examples;
          parameter.example = example.value;
        }
        withoutNoise(parameter.schema ?? null, parameter.example !== undefined);
      }
    }
  }
  withoutNoise(description.components.schemas);
  return description;
}

async function show() {
  const answer = await fetch("openapi.json");
  if (!answer.ok) {
    throw new Error(`the server answered ${answer.status}`);
  }
  await customElements.whenDefined("openapi-explorer");
  await document.querySelector("openapi-explorer").loadSpec(tidied(await answer.json()));
}

show().catch((error) => {
  const failed = document.createElement("p");
  failed.className = "failed";
  failed.textContent = `The API's description could not be shown: ${error.message}`;
  document.querySelector("openapi-explorer").replaceWith(failed);
});
