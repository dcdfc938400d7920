/** Vectors in three dimensions. */
export interface Vector {
  x: number;
  y: number;
  z: number;
}

/** Adds two vectors. */
export function add(a: Vector, b: Vector): Vector {
  return {
    x: a.x + b.x,
    y: a.y + b.y,
    z: a.z + b.z,
  };
}

/** Subtracts the second vector from the first. */
export function subtract(a: Vector, b: Vector): Vector {
  return {
    x: a.x - b.x,
    y: a.y - b.y,
    z: a.z - b.z,
  };
}

/** Multiplies a vector by a number. */
export function scale(a: Vector, factor: number): Vector {
  return {
    x: a.x * factor,
    y: a.y * factor,
    z: a.z * factor,
  };
}

/** Returns the length of a vector. */
export function length(a: Vector): number {
  return Math.sqrt(a.x * a.x + a.y * a.y + a.z * a.z);
}
