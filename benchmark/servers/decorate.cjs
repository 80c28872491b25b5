// Applies decorators to a class of plain JavaScript, as compiled TypeScript does. For NestJS and Midway.

/**
 * @param members - `{ [member]: decorators }`
 * @param decorators - those of the class itself
 */
module.exports = (Class, members, decorators) => {
  for (const [name, each] of Object.entries(members)) {
    const descriptor = Object.getOwnPropertyDescriptor(Class.prototype, name);
    for (const decorator of each) decorator(Class.prototype, name, descriptor);
  }
  for (const decorator of decorators) decorator(Class);
};
