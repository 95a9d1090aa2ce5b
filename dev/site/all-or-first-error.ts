/** Waits for all before it throws, so that nothing is still starting while everything is being stopped. */
export async function allOrFirstError<T extends readonly unknown[]>(promises: { readonly [K in keyof T]: Promise<T[K]> }): Promise<readonly [...T]> {
  await Promise.allSettled(promises);
  return Promise.all(promises);
}
