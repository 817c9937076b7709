/** The server processes of a deployment. A device stays with one until that does not answer. */
export class Endpoints {
  private at: number;

  /**
   * @param bases base URLs without a slash at the end
   * @param first which one to begin with
   */
  constructor(
    private readonly bases: readonly string[],
    first: number,
  ) {
    this.at = first % bases.length;
  }

  get base(): string {
    return this.bases[this.at] ?? '';
  }

  moveOn(): void {
    this.at = (this.at + 1) % this.bases.length;
  }
}
