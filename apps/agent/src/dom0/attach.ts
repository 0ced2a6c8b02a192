/** Gate → the guest: one small interface, three ways (Xen's block and USB devices, QEMU's machine protocol). Images are
 *  always raw and read-only: their content never chooses how they are read. A handle is chosen before it is used, so
 *  that whoever finds it in a journal can take it back. */

export type Attach = {
  /** A handle that is neither used nor among `taken`. @throws DoorError where all are */
  planImage(taken: readonly string[]): Promise<string>;
  planDevice(taken: readonly string[], device: { bus: number; address: number }): Promise<string>;
  /** @throws DoorError where the guest does not take it */
  image(handle: string, path: string): Promise<void>;
  device(handle: string, device: { bus: number; address: number }): Promise<void>;
  has(handle: string): Promise<boolean>;
  /** Which of these it has, and which life of it: another name each time it was started, nothing while there is none.
   *  `isReady`: it can be given something. @throws DoorError where nobody knows */
  holds(handles: readonly string[]): Promise<Holds>;
  /** Done twice is done once; one that is not there is taken back already. @throws DoorError where it stays */
  detach(handle: string): Promise<void>;
};

export type Holds = { guest: string | undefined; isReady: boolean; has: string[] };
