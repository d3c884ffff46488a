export async function measureCost(){}
