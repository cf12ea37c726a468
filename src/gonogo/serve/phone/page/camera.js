// The camera: frames of it, and one clear line where there is none.

const WANTED = {facingMode: {ideal: "environment"}, width: {ideal: 1920}, height: {ideal: 1080}};
const LEAST_MS = 100;  // between two frames: ten a second are enough for a person and spare the battery

const REASONS = {
  NotAllowedError: "The camera was refused. Photos work without it; to use it, allow the camera for this page in the "
    + "browser's site settings.",
  NotFoundError: "This device has no camera. Photos work without it.",
  OverconstrainedError: "This device has no camera that fits. Photos work without it.",
  NotReadableError: "The camera is in use by another app. Close that app and try again; photos work meanwhile.",
};

export class Camera {
  // `onFrame` is given the video, and waited for; `onEnd` a reason, or null where it was stopped.
  constructor(video, onFrame, onEnd) {
    Object.assign(this, {video, onFrame, onEnd, stream: null});
  }

  get live() {
    return this.stream !== null;
  }

  async start() {
    if (!navigator.mediaDevices?.getUserMedia) {
      this.onEnd("The camera needs https (or localhost), which this page was not opened with. Photos work without it.");
      return;
    }
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({video: WANTED, audio: false});
    } catch (error) {
      this.onEnd(REASONS[error.name] ?? `The camera did not start (${error.name}). Photos work without it.`);
      return;
    }
    this.stream = stream;
    stream.getVideoTracks()[0].addEventListener("ended", () => {
      if (this.stream === stream) this.stop("The camera was taken away. Start it again, or use photos.");
    });
    this.video.srcObject = stream;
    try {
      await this.video.play();
    } catch {
      this.stop("The camera gave no picture. Start it again, or use photos.");
      return;
    }
    this.run(stream);
  }

  async run(stream) {
    while (this.stream === stream) {
      const started = performance.now();
      if (this.video.videoWidth) await this.onFrame(this.video);
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, LEAST_MS - (performance.now() - started))));
    }
  }

  stop(reason = null) {
    const stream = this.stream;
    this.stream = null;
    stream?.getTracks().forEach((track) => track.stop());
    this.video.srcObject = null;
    this.onEnd(reason);
  }
}
