/** A process that runs one task at a time: `{ id, module, task, input }` in, `{ id, result }` or `{ id, error }` out. */
process.on('message', async ({ id, module, task, input }) => {
  try {
    const tasks = await import(module);
    process.send({ id, result: await tasks[task](input) });
  } catch (error) {
    process.send({ id, error: { code: error.code, message: error.message, stack: error.stack } });
  }
});
process.on('disconnect', () => process.exit());
