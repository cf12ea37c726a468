// Offline, and a gauge that changes while it is served: one version, whole, until another one is there whole.

const EVERY_MS = 5000, PATIENCE_MS = 4000;
const TAKEN_FROM = "gonogo-taken-from";

export const VERSION = document.querySelector("meta[name=version]").content;

// Why the page cannot be kept on the phone; null where it is.
export async function keep() {
  if (!window.isSecureContext) return "needs https (or localhost)";
  if (!navigator.serviceWorker) return "this browser, or its private mode, keeps no pages";
  try {
    await navigator.serviceWorker.register("/sw.js", {updateViaCache: "none"});
    await navigator.serviceWorker.ready;
    return null;
  } catch (error) {
    return error.name === "SecurityError" ? "the phone does not trust this server's certificate yet"
      : `the page could not be kept (${error.message})`;
  }
}

// The version that was in use before the page was loaded anew for this one; null where there was none.
export function takenFrom() {
  const before = sessionStorage.getItem(TAKEN_FROM);
  sessionStorage.removeItem(TAKEN_FROM);
  return before === VERSION ? null : before;
}

// Ask the server now and then. `onContact` is told of every answer, null for none; `onChange` what is being done
// about another version; `mayTake` says whether now is a good moment.
export function watch({onContact, onChange, mayTake}) {
  let asking = false, timer = null;
  const look = async () => {
    clearTimeout(timer);
    if (!asking && !document.hidden) {
      asking = true;
      const told = await contact();
      asking = false;
      onContact(told);
      if (told && told.version !== VERSION && mayTake()) await take(told.version, onChange);
    }
    clearTimeout(timer);
    timer = setTimeout(look, EVERY_MS);
  };
  for (const name of ["online", "offline"]) addEventListener(name, look);
  document.addEventListener("visibilitychange", look);
  look();
}

async function contact() {
  try {
    const answer = await fetch("/version", {cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS)});
    return answer.ok ? await answer.json() : null;
  } catch {
    return null;
  }
}

async function take(version, onChange) {
  onChange("The gauge has changed. Fetching the new one; until it is here whole, the one before answers.");
  const kept = await navigator.serviceWorker?.getRegistration("/");
  if (kept && !await fetched(kept)) {
    onChange("The gauge has changed, and the new one did not arrive whole. The one before answers; trying again.");
    return;
  }
  sessionStorage.setItem(TAKEN_FROM, VERSION);
  location.reload();
}

// Whether the service worker of another version has all of its files and has taken over.
async function fetched(kept) {
  try {
    await kept.update();
  } catch {
    return false;
  }
  const coming = kept.installing ?? kept.waiting;
  // None is coming: the one that has taken over meanwhile is the new one already.
  if (!coming) return kept.active?.state === "activated";
  return new Promise((resolve) => {
    const settle = () => {
      if (coming.state === "activated") resolve(true);
      if (coming.state === "redundant") resolve(false);
    };
    coming.addEventListener("statechange", settle);
    settle();
  });
}
