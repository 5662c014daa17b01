// Where a picture has its groups (zones), boxes (nodes) and chips (workloads).
// Both pictures of a pair have the same rooms, so that boxes stay in their place.

const labelled = { most: 16, boxes: 40, chip: 20, gap: 4, box: 128 };

// layout returns rectangles. groups have a name and the positions of their boxes;
// rooms is how many chips each box must have room for.
function layout(groups, rooms, width) {
  const most = Math.max(1, ...rooms);
  if (most <= labelled.most && rooms.length <= labelled.boxes) {
    const inner = (room) => Math.max(1, room) * (labelled.chip + labelled.gap) + 34;
    return arrange(groups, rooms, width, { boxWidth: labelled.box, stretch: true, heightOf: inner, labels: true, pad: 10, head: 22, chipGap: labelled.gap });
  }
  for (let size = 11; ; size--) {
    const columns = Math.max(3, Math.ceil(Math.sqrt(most * 1.2)));
    const lines = Math.ceil(most / columns);
    const out = arrange(groups, rooms, width, {
      boxWidth: columns * (size + 1) + 7, stretch: false, heightOf: () => lines * (size + 1) + 12,
      labels: false, pad: 6, head: groups.length > 1 ? 20 : 0, chip: size, columns, chipGap: 1,
    });
    if (out.height <= 760 || size <= 3) return out;
  }
}

function arrange(groups, rooms, width, form) {
  const gap = form.labels ? 12 : 5;
  const aside = groupColumns(groups, width, form, gap);
  const groupWidth = (width - gap * (aside - 1)) / aside;
  const inRow = Math.max(1, Math.floor((groupWidth - 2 * form.pad + gap) / (form.boxWidth + gap)));
  const out = { ...form, width, groups: [], boxes: [] };
  let y = 0;
  for (let first = 0; first < groups.length; first += aside) {
    const row = groups.slice(first, first + aside);
    let tallest = 0;
    row.forEach((group, i) => {
      const x = i * (groupWidth + gap);
      const height = fillGroup(out, group, rooms, { x, y, width: groupWidth, inRow, gap });
      tallest = Math.max(tallest, height);
    });
    for (const group of out.groups.slice(-row.length)) group.height = tallest;
    y += tallest + gap;
  }
  out.height = Math.max(0, y - gap);
  return out;
}

// groupColumns is how many groups stand side by side.
function groupColumns(groups, width, form, gap) {
  const boxes = form.labels ? 1 : 3;
  const least = boxes * (form.boxWidth + gap) + 2 * form.pad;
  return Math.max(1, Math.min(groups.length, Math.floor((width + gap) / (least + gap))));
}

function fillGroup(out, group, rooms, at) {
  const { pad, head } = out;
  const top = group.name ? head : 0;
  let y = at.y + pad + top;
  for (let first = 0; first < group.boxes.length; first += at.inRow) {
    const row = group.boxes.slice(first, first + at.inRow);
    const columns = out.stretch ? Math.min(at.inRow, group.boxes.length) : at.inRow;
    const free = at.width - 2 * pad - at.gap * (columns - 1);
    const boxWidth = out.stretch ? free / columns : out.boxWidth;
    const height = Math.max(...row.map((box) => out.heightOf(rooms[box])));
    row.forEach((box, i) => {
      out.boxes[box] = { x: at.x + pad + i * (boxWidth + at.gap), y, width: boxWidth, height };
    });
    y += height + at.gap;
  }
  const height = y - at.gap + pad - at.y;
  out.groups.push({ name: group.name, x: at.x, y: at.y, width: at.width, height });
  return height;
}

// chipRect is where the chip at a position of a box is.
function chipRect(form, box, position) {
  if (form.labels) {
    return { x: box.x + 8, y: box.y + 22 + position * (labelled.chip + labelled.gap), width: box.width - 16, height: labelled.chip };
  }
  const step = form.chip + 1;
  return { x: box.x + 4 + (position % form.columns) * step, y: box.y + 3 + Math.floor(position / form.columns) * step, width: form.chip, height: form.chip };
}
