// Requests to the server. Every failure is a PageError.

// A failure that the page shows as one sentence; its status is that of the server's answer, 0 for none.
export class PageError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function request(method, path, body, type) {
  const options = { method, headers: {}, cache: "no-store" };
  if (body instanceof Blob) {
    options.body = body;
    options.headers["content-type"] = type || body.type || "application/octet-stream";
  } else if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers["content-type"] = "application/json";
  }
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new PageError(0, "The server does not answer: is it still running?");
  }
  if (answer.ok) return answer;
  let message = `${method} ${path}: status ${answer.status}.`;
  try {
    message = (await answer.json()).error || message;
  } catch {
    // an answer that is not JSON has no sentence
  }
  throw new PageError(answer.status, message);
}

const json = async (...args) => (await request(...args)).json();
const of = (session, rest) => `page/sessions/${session}/${rest}`;
const query = (values) => new URLSearchParams(values).toString();

export const api = {
  state: () => json("GET", "page/state"),
  vocabulary: (name) => json("GET", `page/vocabularies/${encodeURIComponent(name)}`),
  openFile: (file) => json("POST", "page/sessions", file, "application/octet-stream"),
  openSample: (sample) => json("POST", "page/sessions", { sample }),
  close: (session) => request("DELETE", `page/sessions/${session}`),
  image: async (session) => (await request("GET", of(session, "image.png"))).blob(),
  predict: (session, body) => json("POST", of(session, "segments"), body),
  restore: (session, coco) => json("PUT", of(session, "segments"), coco),
  prompt: (session, body) => json("POST", of(session, "prompt"), body),
  edit: (session, body) => json("POST", of(session, "edits"), body),
  coco: (session, name, hidden) => json("GET", of(session, `coco.json?${query({ name, hidden: hidden.join(",") })}`)),
  labels: async (session, hidden) =>
    (await request("GET", of(session, `labels.png?${query({ hidden: hidden.join(",") })}`))).blob(),
};
