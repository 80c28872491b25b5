// Calls decorators as TypeScript would, on a class of plain JavaScript: nest.mjs and midway.cjs are written with it.

/** `members` has the decorators of each member, `whole` those of the class. */
module.exports = (Class, members, whole) => {
  for (const [name, decorators] of Object.entries(members)) {
    const descriptor = Object.getOwnPropertyDescriptor(Class.prototype, name);
    for (const decorator of decorators) decorator(Class.prototype, name, descriptor);
  }
  for (const decorator of whole) decorator(Class);
};
