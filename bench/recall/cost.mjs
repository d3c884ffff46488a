export async function measureCost() {}
