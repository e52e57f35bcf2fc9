/* event: whoever takes an event away sees what was done before it was set, also by who found it set already (SharedEvent, SemaphoreCore.raise).
 *
 * Each of SETTERS stores an item and then sets the event, ITEMS times; one waiter comes through, takes the event away, and then looks how many items there are.  Stores of a setter pass through a buffer of its
 * own (TSO), which a read-modify-write empties first.  The waiter must not sleep for ever while there are items that it has not seen: the event is set, or will be.
 *
 * Abstract here: deaths (a setter's is before or after its one read-modify-write), several waiters (semaphore.pml), the mark beside the event: who sleeps is woken by who sets, also by who found it set and still marked.
 *
 *   bounds        SETTERS, ITEMS
 *
 * Seeded mistakes, each must be caught:
 *   -DLOOKONLY    who finds it set has only looked
 *   -DLOOKFIRST   the waiter looks for items before it takes the event away
 *   -DNOCOMPARE   the waiter sleeps without comparing the word
 *   -DWAKEFIRST   the wake-up comes before the event is set
 */
#ifndef SETTERS
#define SETTERS 2
#endif
#ifndef ITEMS
#define ITEMS 2
#endif

bit isSet, asleep;
byte items, seenItems, buffered[SETTERS];

#define flush(s) items=items+buffered[s]; buffered[s]=0

proctype drain(byte s) {
end: do
  :: atomic { buffered[s]>0 -> items++; buffered[s]-- }
  od }

proctype setter(byte s) {
  byte n; bit seen;
  do
  :: n==ITEMS -> break
  :: n<ITEMS -> n++;
     buffered[s]++;
again:
     seen=isSet;
     if
     :: seen ->
#ifndef LOOKONLY
        atomic { flush(s); if :: isSet -> skip :: else -> goto again fi }
#endif
     :: !seen ->
#ifdef WAKEFIRST
        asleep=0;
#endif
        atomic { flush(s); if :: isSet -> goto again :: else -> isSet=1 fi };
#ifndef WAKEFIRST
        asleep=0
#endif
     fi
  od }

proctype waiter() {
  do
  :: seenItems==SETTERS*ITEMS -> break
  :: seenItems<SETTERS*ITEMS ->
     if
     :: isSet ->
#ifdef LOOKFIRST
        seenItems=items;
#endif
        isSet=0;
#ifndef LOOKFIRST
        seenItems=items
#endif
     :: !isSet ->
#ifdef NOCOMPARE
        asleep=1;
#else
        atomic { if :: !isSet -> asleep=1 :: isSet -> skip fi };
#endif
        asleep==0
     fi
  od }

init { byte i;
  atomic {
    run waiter();
    do :: i<SETTERS -> run setter(i); run drain(i); i++ :: i==SETTERS -> break od } }
