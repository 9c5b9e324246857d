export type Box = readonly [left: number, top: number, right: number, bottom: number];

/** Where a label may stand: within an area, on nothing that stands there. */
export class LabelRoom {
  private readonly area: Box;
  private readonly taken: Box[];

  constructor(area: Box, taken: readonly Box[]) {
    this.area = area;
    this.taken = [...taken];
  }

  /** Takes a place beside a point for a text. @returns its left end and its middle, or undefined where there is no room */
  take(x: number, y: number, width: number): { left: number; middle: number } | undefined {
    for (const up of [0, -11, 11, -18, 18]) {
      for (const left of [x + 10, x - 10 - width]) {
        const middle = y + up;
        const box: Box = [left, middle - 7, left + width, middle + 7];
        if (!this.isFree(box)) continue;
        this.taken.push(box);
        return { left, middle };
      }
    }
  }

  private isFree([left, top, right, bottom]: Box): boolean {
    const [areaLeft, areaTop, areaRight, areaBottom] = this.area;
    return (
      left >= areaLeft &&
      right <= areaRight &&
      top >= areaTop &&
      bottom <= areaBottom &&
      this.taken.every((box) => left >= box[2] || right <= box[0] || top >= box[3] || bottom <= box[1])
    );
  }
}
