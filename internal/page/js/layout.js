// Where a picture has its groups (zones), boxes (nodes) and chips (workloads).
// Both pictures of a pair have the same rooms, so that boxes stay in their place.

// In a gutter beside the chips are the lines that stay in a box; margin is for those
// that leave the last column and come back to it.
const labelled = { most: 16, each: 3.5, boxes: 40, chip: 20, gap: 4, box: 132, gutter: 14, margin: 14 };

// isLabelled reports whether chips have names: there are few for the width.
const isLabelled = (rooms, width) => {
  const all = rooms.reduce((sum, room) => sum + room, 0);
  return all <= width / labelled.each && rooms.length <= labelled.boxes && Math.max(...rooms) <= Math.max(labelled.most, width / 20);
};

// layout returns rectangles. groups have a name and the positions of their boxes;
// rooms is how many chips each box must have room for.
function layout(groups, rooms, width) {
  const most = Math.max(1, ...rooms);
  if (isLabelled(rooms, width)) {
    const inner = (room, boxWidth) => Math.ceil(Math.max(1, room) / chipColumns(boxWidth)) * (labelled.chip + labelled.gap) + 34;
    return arrange(groups, rooms, width, { boxWidth: labelled.box, stretch: true, heightOf: inner, labels: true, pad: 10, head: 22 });
  }
  for (let size = 15; ; size--) {
    const least = Math.max(3, Math.ceil(Math.sqrt(most * 1.2)));
    const form = { labels: false, stretch: false, pad: 6, head: 20, chip: size, boxWidth: least * (size + 1) + 7, heightOf: () => 1 };
    // Boxes fill the width; then it is known how many chips fit side by side.
    const columns = Math.floor((arrange(groups, rooms, width, form).boxes.find(Boolean).width - 7) / (size + 1));
    const lines = Math.ceil(most / columns);
    const out = arrange(groups, rooms, width, { ...form, columns, heightOf: () => lines * (size + 1) + 14 });
    if (out.height <= 760 || size <= 3) return out;
  }
}

function arrange(groups, rooms, width, form) {
  const gap = form.labels ? 12 : 5;
  const inside = form.labels ? width - labelled.margin : width;
  const aside = groupColumns(groups, inside, form, gap);
  const groupWidth = (inside - gap * (aside - 1)) / aside;
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
    const boxWidth = (at.width - 2 * pad - at.gap * (columns - 1)) / columns;
    const height = Math.max(...row.map((box) => out.heightOf(rooms[box], boxWidth)));
    row.forEach((box, i) => {
      out.boxes[box] = { x: at.x + pad + i * (boxWidth + at.gap), y, width: boxWidth, height };
    });
    y += height + at.gap;
  }
  const height = y - at.gap + pad - at.y;
  out.groups.push({ name: group.name, x: at.x, y: at.y, width: at.width, height });
  return height;
}

// chipColumns is how many chips with names stand side by side in a box.
const chipColumns = (boxWidth) => Math.max(1, Math.floor((boxWidth - 16) / (labelled.box + labelled.gutter)));

// chipRect is where the chip at a position of a box is.
function chipRect(form, box, position) {
  if (form.labels) {
    const columns = chipColumns(box.width);
    const column = (box.width - 16) / columns;
    const row = Math.floor(position / columns);
    return { x: box.x + 8 + (position % columns) * column, y: box.y + 22 + row * (labelled.chip + labelled.gap), width: column - labelled.gutter, height: labelled.chip };
  }
  const step = form.chip + 1;
  return { x: box.x + 4 + (position % form.columns) * step, y: box.y + 3 + Math.floor(position / form.columns) * step, width: form.chip, height: form.chip };
}
