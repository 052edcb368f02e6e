export class Unknown extends Error {}
export const price: (item: string) => Promise<number>
export const negotiate: () => Promise<never>
