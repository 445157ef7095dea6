// Files of the image as it is shown.

import { api } from "./api.js";
import { $, busy, hiddenList, stage, state } from "./page_state.js";
import { inSession } from "./session.js";

export function download(blob, name) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

const stem = () => state.walk.current.name.split("/").pop().replace(/\.[^.]*$/, "");
$("download-overlay").addEventListener("click", async () => download(await stage.overlay(), `${stem()}_overlay.png`));
$("download-labels").addEventListener("click", () =>
  busy("Exporting", async () => download(await inSession((session) => api.labels(session, hiddenList())), `${stem()}_labels.png`)),
);
$("download-coco").addEventListener("click", () =>
  busy("Exporting", async () => {
    const coco = await inSession((session) => api.coco(session, state.walk.current.name, hiddenList()));
    download(new Blob([JSON.stringify(coco, null, 1)], { type: "application/json" }), `${stem()}.json`);
  }),
);
