// Questions to the server: each brings all that the answer needs.

/** Ask for an answer; an error in it is thrown as one, in the server's words. */
export async function ask(request) {
  let reply;
  try {
    reply = await fetch("ask", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(request) });
  } catch {
    throw new Error("The server does not answer: is jaxnn play still running? What you typed is kept.");
  }
  if (!reply.ok) throw new Error(`The server refused this: ${await reply.text()}.`);
  const answer = await reply.json();
  if (answer.error) throw new Error(answer.error);
  return answer;
}
