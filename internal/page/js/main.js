// The program: which page it is, and its data.

const began = performance.now();
const programs = { replay: replayPage, graph: graphPage, locality: localityPage };
const page = Object.fromEntries(["bar", "main", "foot"].map((id) => [id, document.getElementById(id)]));
programs[document.documentElement.dataset.kind](JSON.parse(document.getElementById("data").textContent), page);
performance.measure("vicinity:page", { start: began });
