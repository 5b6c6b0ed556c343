-- The health of a GitHubUserToken, for Argo CD. It needs no Lua library.
-- Deletion is not looked at here: Argo CD itself calls a resource that is being deleted Progressing.
local hs = { status = "Progressing", message = "Waiting for the operator" }
local status = obj.status
if status == nil or status.conditions == nil then
  return hs
end
if status.observedGeneration ~= obj.metadata.generation then
  hs.message = "Waiting for the operator to see the latest change"
  return hs
end

local condition = {}
for _, c in ipairs(status.conditions) do
  condition[c.type] = c
end
local function is(type, value)
  return condition[type] ~= nil and condition[type].status == value
end
local function answer(health, message)
  hs.status = health
  hs.message = message
  return hs
end

if condition["Ready"] == nil then
  return hs
end
local works = is("Ready", "True")
local untilWhen = ""
if works and status.accessTokenExpirationTime ~= nil then
  untilWhen = " The current token works until " .. status.accessTokenExpirationTime .. "."
end

-- A first login that waits for a person is as Argo CD defines Suspended: it waits for an event from outside.
if condition["Ready"].reason == "AuthorizationPending" and status.lastRefreshTime == nil then
  return answer("Suspended", condition["Ready"].message)
end
-- A human must act. Say so while the token still works, rather than when it has stopped.
if is("Authorized", "False") then
  return answer("Degraded", condition["Authorized"].message .. untilWhen)
end
if obj.spec ~= nil and obj.spec.suspend == true then
  if not works then
    return answer("Suspended", condition["Ready"].message)
  end
  return answer("Suspended", "spec.suspend stops all exchanges." .. untilWhen)
end
if is("Stalled", "True") then
  return answer("Degraded", condition["Stalled"].message .. untilWhen)
end
-- A refresh under way, or one that is retried, does not matter to anybody while the token works.
if works then
  return answer("Healthy", condition["Ready"].message)
end
-- There was a token once, and whoever uses it now gets errors.
if status.lastRefreshTime ~= nil then
  return answer("Degraded", condition["Ready"].message)
end
return answer("Progressing", condition["Ready"].message)
