"""Watches the runs of one target and scenario, one after the other, and says when and how what they take has changed."""

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Literal

from probe.drift.baseline import midmean
from probe.drift.evidence import RING, Evidence, Seen

WHOLE = "combined_ttfb"
STAGES = (WHOLE, "llm_ttft", "llm_decode", "tts_ttfb")
THRESHOLD = 10.0
LEAST_CHANGE = 0.02
LEAST_SHARE = 0.01
NAMED = 5
LASTING = 14
LARGE = math.log(1.25)
_ADOPTED_AFTER = 7 * 86_400
_PAUSE = 5

@dataclass(frozen=True, slots=True)
class Point:
    at: float
    run_id: str
    serving: str
    values: Mapping[str, float] | None
    down: bool = False

@dataclass(frozen=True, slots=True)
class Shift:
    stage: str
    before_ms: float
    after_ms: float
    moved: bool
    @property
    def ratio(self): return self.after_ms/self.before_ms

@dataclass(frozen=True, slots=True)
class Change:
    kind: str
    since: float
    found: float
    stage: str
    shifts: tuple[Shift, ...]
    before: tuple[str, ...]
    after: tuple[str, ...]

class Monitor:
    def __init__(self, threshold=THRESHOLD, stages=STAGES):
        self.evidence={s:Evidence(threshold, self._is_burst) for s in stages}
        self.points=deque(maxlen=RING)
        self.n=0; self.serving=None; self.changes=[]; self.reference=None
        self.last=None; self.gaps=deque(maxlen=51); self.was_down=False
    def add(self, p):
        found=None
        if self.serving is not None and p.serving!=self.serving:
            for e in self.evidence.values(): e.forget()
            self.reference=None
            found=Change("serving",p.at,p.at,"",(),(),(p.run_id,)); self.changes.append(found)
            self.serving=p.serving
        self.serving=p.serving
        if p.values is None: return found
        self.n+=1
        self.points.append((self.n,p))
        for s,e in self.evidence.items():
            v=p.values.get(s)
            if v is not None and v>0: e.add(self.n,p.at,math.log(v))
        st,sh=max(((s,e.strongest()) for s,e in self.evidence.items()),key=lambda x:x[1])
        if sh>=1 and not self._is_burst(self.evidence[st].since(_date(self.evidence[st]))): found=self._change(st,p)
        return found
    def _is_burst(self, seen):
        if len(seen)>=LASTING or WHOLE not in self.evidence: return False
        first,last=seen[0].number,seen[-1].number
        whole=[x.residual for x in self.evidence[WHOLE].since(first) if x.number<=last]
        return bool(whole) and abs(median(whole))>LARGE
    def _change(self, stage, p):
        ev=self.evidence[stage]
        since=_date(ev)
        shifts=[]; z={}; by={}
        for s,e in self.evidence.items():
            seen=e.since(since)
            if not seen: continue
            by[s]=midmean(x.residual for x in seen)
            se=e.noise.sigma*math.sqrt(e.noise.inflation/len(seen)) if e.noise else 1
            z[s]=by[s]/se
            after=math.exp(midmean(x.value for x in seen)); before=after/math.exp(by[s])
            shifts.append(Shift(s,before,after,abs(z[s])>=3))
        for s in by:
            e=self.evidence[s]
            if abs(z[s])>=1: e.change(since,by[s])
            else: e.clear()
        up=by[stage]>0
        parts=[x for x in shifts if x.stage!=WHOLE and (x.after_ms>x.before_ms)==up]
        named=stage
        cands=[x for x in parts if x.moved]
        if stage==WHOLE or cands:
            named=max(cands or parts,key=lambda x:abs(x.after_ms-x.before_ms)).stage if (cands or parts) else stage
        if abs(by[stage])<LEAST_CHANGE: return None
        at={n:q.at for n,q in self.points}
        c=Change("slower" if up else "faster",at[since],p.at,named,tuple(shifts),(),())
        self.changes.append(c)
        return c

def _date(ev):
    onset=ev.onset()
    seen=ev.since(onset-60)
    sg=ev.noise.sigma
    d=midmean(x.residual for x in ev.since(onset))/sg
    best=-1; total=0; at=onset
    for x in reversed(seen):
        u=x.residual/sg
        total+=math.log((math.exp(-(u-d)**2/2)+.005)/(math.exp(-u*u/2)+.005))
        if total>=best: best=total; at=x.number
    return at
